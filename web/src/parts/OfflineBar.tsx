import { Show } from "solid-js"
import { useStudio } from "../live/Studio.ts"
import { Icon } from "./Icon.tsx"

/** Only over a list that is there already: without one the list itself says what is wrong. */
export const OfflineBar = () => {
  const { exports, live } = useStudio()
  return (
    <div role="status">
      <Show when={live.connection() === "offline" && exports.loaded()}>
        <p class="offline">
          <Icon name="alert" />{" "}
          <span>No connection to Reelay. Running exports go on; this page catches up by itself.</span>
        </p>
      </Show>
    </div>
  )
}
