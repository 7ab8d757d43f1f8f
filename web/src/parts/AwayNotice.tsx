import { For, Show } from "solid-js"
import { useStudio } from "../live/Studio.ts"
import { awayText } from "../state/Words.ts"
import { A } from "@solidjs/router"
import { Icon } from "./Icon.tsx"

/** At most this many are named; the list below has them all. */
const NAMED = 4

/** What finished while the page was closed. Stays until it is put away. */
export const AwayNotice = () => {
  const { away, exports, sources } = useStudio()
  const ended = () => away.ended().filter((row) => exports.view(row.id) !== null)
  return (
    // The region stands there before its text does: only then is the text read out.
    <div role="status" class="away-region">
      <Show when={ended().length > 0}>
        <div class="away">
          <Icon name={ended().some((row) => row.status === "completed") ? "check" : "alert"} />
          <div>
            <p class="away-main">{awayText(ended())}</p>
            <p class="away-names">
              <For each={ended().slice(0, NAMED)}>
                {(row) => <A href={`/exports/${row.id}`}>{sources.title(row)}</A>}
              </For>
              <Show when={ended().length > NAMED}>
                <span>and {ended().length - NAMED} more</span>
              </Show>
            </p>
          </div>
          <button type="button" class="quiet only-icon" aria-label="Dismiss" onClick={() => away.dismiss()}>
            <Icon name="close" />
          </button>
        </div>
      </Show>
    </div>
  )
}
