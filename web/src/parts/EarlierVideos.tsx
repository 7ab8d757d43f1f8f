import { For, Show } from "solid-js"
import { useStudio } from "../live/Studio.ts"
import { clockText } from "../state/Words.ts"
import { Picture } from "./Picture.tsx"

/** What was uploaded before can be exported again, without a second upload. */
export const EarlierVideos = () => {
  const { drafts, sources } = useStudio()
  const offered = () => sources.recent().filter((video) => drafts.list.every((draft) => draft.video?.id !== video.id))
  return (
    <Show when={offered().length > 0}>
      <details class="earlier">
        <summary>Uploaded earlier</summary>
        <ul>
          <For each={offered()}>
            {(video) => (
              <li>
                <button type="button" onClick={() => drafts.addVideo(video)} aria-label={`Use ${video.name}`}>
                  <Picture src={video.posterUrl} icon="film" />
                  <span class="earlier-name">{video.name}</span>
                  <span class="meta">{clockText(video.duration)}</span>
                </button>
              </li>
            )}
          </For>
        </ul>
      </details>
    </Show>
  )
}
