import { Route, Router, type RouteSectionProps } from "@solidjs/router"
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

/** Whoever serves the files answers every address that is not one with `index.html`. */
export const App = () => (
  <Router root={Frame}>
    <Route path="/" component={HomePage} />
    <Route path="/exports/:id" component={ExportPage} />
    <Route path="*" component={HomePage} />
  </Router>
)
