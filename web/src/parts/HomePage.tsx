import { ExportList } from "./ExportList.tsx"
import { NewExport } from "./NewExport.tsx"

export const HomePage = () => (
  <div class="bench">
    <NewExport />
    <ExportList />
  </div>
)
