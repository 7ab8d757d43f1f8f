import type { ExportId } from "@reelay/contracts/Ids"
import { createResource, createSignal, Show } from "solid-js"
import { failureOf } from "../api/Problem.ts"
import { useStudio } from "../live/Studio.ts"

/** Plays the finished file. Its address lives an hour: one that ran out is fetched anew, at the same place. */
export const Player = (props: { readonly id: ExportId; readonly title: string; readonly autoplay: boolean }) => {
  const { client, posters } = useStudio()
  const [source, { refetch }] = createResource(
    () => props.id,
    (id) =>
      client.download(id).then(
        ({ url }) => ({ url, problem: null }),
        (error) => ({ url: null, problem: failureOf(error).message })
      )
  )
  const [broken, setBroken] = createSignal(false)
  let renewed = 0
  let place = 0

  const failed = () => {
    // A new address that fails at once is no matter of time.
    if (Date.now() - renewed < 60_000) return setBroken(true)
    renewed = Date.now()
    void refetch()
  }
  return (
    <div class="player">
      <Show
        when={source.latest?.url}
        fallback={
          <p class="player-wait" role="status">
            {source.latest?.problem ?? "Opening"}
          </p>
        }
      >
        {(url) => (
          <video
            controls
            playsinline
            preload="metadata"
            autoplay={props.autoplay}
            src={url()}
            poster={posters.url(props.id) ?? undefined}
            aria-label={props.title}
            onTimeUpdate={(event) => (place = event.currentTarget.currentTime || place)}
            onLoadedMetadata={(event) => {
              if (place > 0) event.currentTarget.currentTime = place
            }}
            onError={failed}
          />
        )}
      </Show>
      <Show when={broken()}>
        <p class="player-broken" role="alert">
          This browser cannot play this file. Downloading it works.
        </p>
      </Show>
    </div>
  )
}
