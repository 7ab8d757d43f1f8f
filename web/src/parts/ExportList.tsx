import { For, Match, Show, Switch } from "solid-js"
import { useStudio } from "../live/Studio.ts"
import { ExportCard } from "./ExportCard.tsx"
import { Icon } from "./Icon.tsx"

const Skeleton = () => (
  <div class="card skeleton" aria-hidden="true">
    <div class="thumb">
      <span class="picture" />
    </div>
    <div class="card-body">
      <span class="bone wide" />
      <span class="bone" />
      <span class="bone strip-bone" />
    </div>
  </div>
)

export const ExportList = () => {
  const { exports, live, session } = useStudio()
  const failed = () => (!exports.loaded() && !live.loading() && !session.needed() ? exports.failure() : null)
  return (
    <section class="exports" aria-labelledby="exports-title">
      <div class="section-head">
        <h2 id="exports-title">Exports</h2>
        <Show when={exports.active() > 0}>
          <p class="meta">{exports.active()} in progress</p>
        </Show>
      </div>
      <Switch>
        <Match when={failed()}>
          {(failure) => (
            <div class="state" role="alert">
              <Icon name="alert" />
              <p class="state-main">The exports could not be loaded</p>
              <p class="meta">{failure().message} What is running goes on.</p>
              <button type="button" onClick={() => void live.load()}>
                <Icon name="retry" /> Try again
              </button>
            </div>
          )}
        </Match>
        <Match when={!exports.loaded()}>
          <div role="status" class="unseen">
            Loading exports
          </div>
          <Skeleton />
          <Skeleton />
          <Skeleton />
        </Match>
        <Match when={exports.ids().length === 0}>
          <div class="state empty">
            <Icon name="film" />
            <p class="state-main">No exports yet</p>
            <p class="meta">Choose a video to start one. You may close this page while it runs.</p>
          </div>
        </Match>
        <Match when={exports.ids().length > 0}>
          <ul class="cards" aria-label="Exports, newest first">
            <For each={exports.ids()}>
              {(id) => (
                <li>
                  <ExportCard id={id} />
                </li>
              )}
            </For>
          </ul>
          <Show when={exports.hasOlder()}>
            <button
              type="button"
              class="more"
              disabled={exports.loadingOlder()}
              onClick={() => void exports.loadOlder()}
            >
              {exports.loadingOlder() ? "Loading" : "Show older exports"}
            </button>
            <Show when={exports.olderFailure()}>
              {(failure) => (
                <p class="wrong" role="alert">
                  {failure().message}
                </p>
              )}
            </Show>
          </Show>
        </Match>
      </Switch>
    </section>
  )
}
