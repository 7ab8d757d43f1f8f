import { createSignal, onCleanup, onMount, Show } from "solid-js"
import { useStudio } from "../live/Studio.ts"
import { Icon } from "./Icon.tsx"

const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false

/** Files come by picker, by keyboard, or dropped anywhere on the page. */
export const DropZone = () => {
  const { drafts } = useStudio()
  const [over, setOver] = createSignal(false)
  let depth = 0

  const add = (files: FileList | null | undefined) => {
    if (files && files.length > 0) drafts.addFiles(files)
  }
  const enter = (event: DragEvent) => {
    if (!hasFiles(event)) return
    depth += 1
    setOver(true)
  }
  const leave = () => {
    depth = Math.max(0, depth - 1)
    if (depth === 0) setOver(false)
  }
  const hover = (event: DragEvent) => {
    if (hasFiles(event)) event.preventDefault()
  }
  const drop = (event: DragEvent) => {
    if (!hasFiles(event)) return
    event.preventDefault()
    depth = 0
    setOver(false)
    add(event.dataTransfer?.files)
  }
  onMount(() => {
    const away = new AbortController()
    window.addEventListener("dragenter", enter, { signal: away.signal })
    window.addEventListener("dragleave", leave, { signal: away.signal })
    window.addEventListener("dragover", hover, { signal: away.signal })
    window.addEventListener("drop", drop, { signal: away.signal })
    onCleanup(() => away.abort())
  })

  return (
    <label class="drop" classList={{ over: over(), slim: drafts.list.length > 0 }}>
      <input
        type="file"
        class="unseen"
        accept="video/*,.mkv,.mts,.m2ts,.ts,.mxf"
        multiple
        aria-label="Choose videos"
        onChange={(event) => {
          add(event.currentTarget.files)
          // The same file may be chosen again.
          event.currentTarget.value = ""
        }}
      />
      <Icon name="upload" />
      <span class="drop-main">{drafts.list.length > 0 ? "Add more videos" : "Choose videos"}</span>
      <Show when={drafts.list.length === 0}>
        <span class="drop-or">or drop them anywhere on this page</span>
      </Show>
    </label>
  )
}
