import { AwayNotice } from "./AwayNotice.tsx"
import { ExportList } from "./ExportList.tsx"
import { NewExport } from "./NewExport.tsx"

export const HomePage = () => (
  <>
    <AwayNotice />
    <div class="bench">
      <NewExport />
      <ExportList />
    </div>
  </>
)
