import type { Video } from "@reelay/contracts/Media"
import { For, Show } from "solid-js"
import { useStudio } from "../live/Studio.ts"
import { clockText } from "../state/Words.ts"
import { Icon } from "./Icon.tsx"
import { Picture } from "./Picture.tsx"

/** What was uploaded before can be exported again, without a second upload, or deleted. */
export const EarlierVideos = () => {
  const { announcer, confirm, drafts, sources } = useStudio()
  /** By their ids, which stay the same however often the list is read: a row under the keyboard is no new one then. */
  const offered = () =>
    sources.recent().flatMap(({ id }) => (drafts.list.some((draft) => draft.video?.id === id) ? [] : [id]))
  let list: HTMLUListElement | undefined

  /** Its row goes: the keyboard stays where it was in the list. */
  const leaveRow = (video: Video) => {
    const at = offered().indexOf(video.id)
    const next = list?.children[at + 1] ?? list?.children[at - 1] ?? list?.parentElement
    next?.querySelector<HTMLElement>(".earlier-delete, summary")?.focus()
  }
  const remove = async (video: Video) => {
    const sure = await confirm.ask({
      title: "Delete this upload?",
      text: `“${video.name}” is deleted for good. Finished exports of it stay; failed and cancelled ones can no longer be retried.`,
      yes: "Delete"
    })
    if (!sure) return
    leaveRow(video)
    if (await sources.remove(video.id)) announcer.say(`${video.name}: deleted`)
  }

  return (
    // Open or not, it stays as it is until the last one is really gone.
    <Show when={offered().length > 0 || sources.removing()}>
      <details class="earlier">
        <summary>Uploaded earlier</summary>
        <ul ref={(element) => (list = element)} aria-label="Uploaded earlier">
          <For each={offered()}>
            {(id) => (
              <Show when={sources.video(id)}>
                {(video) => (
                  <li>
                    <button
                      type="button"
                      class="earlier-use"
                      onClick={() => drafts.addVideo(video())}
                      aria-label={`Use ${video().name}`}
                    >
                      <Picture src={video().posterUrl} icon="film" />
                      <span class="earlier-name">{video().name}</span>
                      <span class="meta">{clockText(video().duration)}</span>
                    </button>
                    <button
                      type="button"
                      class="quiet only-icon earlier-delete"
                      aria-label={`Delete ${video().name}`}
                      title="Delete"
                      onClick={() => void remove(video())}
                    >
                      <Icon name="trash" />
                    </button>
                    <Show when={sources.note(id)}>
                      {(why) => (
                        <p class="wrong" role="alert">
                          {why()}
                        </p>
                      )}
                    </Show>
                  </li>
                )}
              </Show>
            )}
          </For>
        </ul>
      </details>
    </Show>
  )
}
