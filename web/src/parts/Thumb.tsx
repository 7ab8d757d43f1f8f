import { onCleanup, onMount, Show } from "solid-js"
import { useStudio } from "../live/Studio.ts"
import type { ExportView } from "../state/ExportView.ts"
import { clockText } from "../state/Words.ts"
import { Icon } from "./Icon.tsx"
import { Picture } from "./Picture.tsx"

interface ThumbProps {
  readonly view: ExportView
  /** Id of the element that names the export. */
  readonly described: string
  readonly playing: boolean
  readonly onPlay: () => void
}

/** The picture of an export; where there is something to play, it is the button that does. */
export const Thumb = (props: ThumbProps) => {
  const { posters, sources } = useStudio()
  let box: HTMLDivElement | undefined
  const row = () => props.view.row
  const done = () => props.view.status === "completed"
  const zip = () => row().outputs[0]?.contentType === "application/zip"
  const src = () => (done() ? posters.url(row().id) : null) ?? sources.video(row().videoId)?.posterUrl ?? null
  const picture = () => <Picture src={src()} icon={zip() ? "files" : "film"} />

  onMount(() => {
    if (box === undefined) return
    const watch = new IntersectionObserver(
      (entries) => {
        if (!entries.some((entry) => entry.isIntersecting)) return
        if (done() && posters.url(row().id) === null) void posters.want(row().id)
      },
      { rootMargin: "200px" }
    )
    watch.observe(box)
    onCleanup(() => watch.disconnect())
  })

  return (
    <div class="thumb" ref={(element) => (box = element)}>
      <Show when={done() && !zip() && row().outputs.length > 0} fallback={picture()}>
        <button
          type="button"
          aria-label={props.playing ? "Close player" : "Play"}
          aria-describedby={props.described}
          onClick={() => props.onPlay()}
        >
          {picture()}
          <span class="thumb-play">
            <Icon name={props.playing ? "close" : "play"} />
          </span>
        </button>
      </Show>
      <span class="thumb-time">{clockText(row().duration)}</span>
    </div>
  )
}
