import { createSignal, For, Show } from "solid-js"
import { useStudio } from "../live/Studio.ts"
import { type Choice as Chosen, defaultChoice } from "../state/Draft.ts"
import { Choice } from "./Choice.tsx"
import { DraftRow } from "./DraftRow.tsx"
import { DropZone } from "./DropZone.tsx"
import { EarlierVideos } from "./EarlierVideos.tsx"

const resolutions = [
  { value: "720p", label: "720p" },
  { value: "1080p", label: "1080p" },
  { value: "4k", label: "4K" },
  { value: "source", label: "Source" }
] as const
const formats = [
  { value: "mp4", label: "MP4" },
  { value: "mov", label: "MOV" },
  { value: "webm", label: "WebM" }
] as const
const qualities = [
  { value: "high", label: "High" },
  { value: "medium", label: "Medium" },
  { value: "low", label: "Low" }
] as const

export const NewExport = () => {
  const { drafts } = useStudio()
  const [choice, setChoice] = createSignal<Chosen>(defaultChoice)
  const choose = (change: Partial<Chosen>) => setChoice((chosen) => ({ ...chosen, ...change }))

  return (
    <section class="new" aria-labelledby="new-title">
      <h2 id="new-title">New export</h2>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          drafts.exportAll(choice())
        }}
      >
        <div class="new-videos">
          <DropZone />
          <Show when={drafts.list.length > 0}>
            <ul class="drafts" aria-label="Chosen videos">
              <For each={drafts.list}>{(draft) => <DraftRow draft={draft} />}</For>
            </ul>
          </Show>
          <EarlierVideos />
        </div>
        <div class="new-settings" classList={{ idle: drafts.list.length === 0 }}>
          <Choice
            legend="Resolution"
            name="resolution"
            options={resolutions}
            value={choice().resolution}
            onChange={(resolution) => choose({ resolution })}
          />
          <Choice
            legend="Format"
            name="format"
            options={formats}
            value={choice().format}
            onChange={(format) => choose({ format })}
          />
          <Choice
            legend="Quality"
            name="quality"
            options={qualities}
            value={choice().quality}
            onChange={(quality) => choose({ quality })}
          />
          <button type="submit" class="primary" disabled={drafts.ready() === 0}>
            {drafts.ready() > 1 ? `Export ${drafts.ready()} videos` : "Export"}
          </button>
        </div>
      </form>
    </section>
  )
}
