import { HashRouter, Route, type RouteSectionProps } from "@solidjs/router"
import { createEffect, Show } from "solid-js"
import { createStudio, StudioContext } from "./live/Studio.ts"
import { ConfirmDialog } from "./parts/ConfirmDialog.tsx"
import { ExportPage } from "./parts/ExportPage.tsx"
import { Header } from "./parts/Header.tsx"
import { HomePage } from "./parts/HomePage.tsx"
import { OfflineBar } from "./parts/OfflineBar.tsx"
import { SignIn } from "./parts/SignIn.tsx"

/** What every page stands in. The studio outlives the routes: drafts and the socket stay when one looks elsewhere. */
const Frame = (props: RouteSectionProps) => {
  const studio = createStudio()
  const { announcer, exports, session } = studio
  createEffect(() => {
    const running = exports
      .ids()
      .flatMap((id) => exports.view(id) ?? [])
      .filter((view) => view.status === "processing")
    const [first] = running
    document.title =
      first === undefined
        ? "Reelay"
        : running.length === 1
          ? `${Math.floor(first.percent)} % · Reelay`
          : `${running.length} running · Reelay`
  })
  return (
    <StudioContext.Provider value={studio}>
      <Header />
      <OfflineBar />
      <main>
        <Show when={!session.needed()} fallback={<SignIn />}>
          {props.children}
        </Show>
      </main>
      <ConfirmDialog />
      <div class="unseen" role="status" aria-live="polite">
        {announcer.said()}
      </div>
    </StudioContext.Provider>
  )
}

/** Addresses live behind the `#`, so that whoever serves the files needs to know nothing of them. */
export const App = () => (
  <HashRouter root={Frame}>
    <Route path="/" component={HomePage} />
    <Route path="/exports/:id" component={ExportPage} />
    <Route path="*" component={HomePage} />
  </HashRouter>
)
