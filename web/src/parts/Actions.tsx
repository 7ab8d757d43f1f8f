import { createSignal, Show } from "solid-js"
import { failureOf } from "../api/Problem.ts"
import { useStudio } from "../live/Studio.ts"
import type { ExportView } from "../state/ExportView.ts"
import { Icon } from "./Icon.tsx"

interface ActionsProps {
  readonly view: ExportView
  readonly title: string
  /** Id of the element that names the export: the buttons say only what they do. */
  readonly described: string
  readonly onDeleted?: () => void
  readonly onError: (message: string | null) => void
}

/** What can be done with an export in its present state. */
export const Actions = (props: ActionsProps) => {
  const { client, confirm, exports } = useStudio()
  const [fetching, setFetching] = createSignal(false)
  const id = () => props.view.row.id
  const status = () => props.view.status
  const busy = () => props.view.action !== null

  const download = async () => {
    setFetching(true)
    props.onError(null)
    try {
      const { url } = await client.download(id())
      const link = document.createElement("a")
      link.href = url
      link.download = props.view.row.outputs[0]?.name ?? ""
      link.click()
    } catch (error) {
      props.onError(failureOf(error).message)
    } finally {
      setFetching(false)
    }
  }
  const remove = async () => {
    const sure = await confirm.ask({
      title: "Delete this export?",
      text:
        status() === "completed"
          ? `“${props.title}” and its finished file are deleted for good. The uploaded video stays.`
          : `“${props.title}” is taken off the list. The uploaded video stays.`,
      yes: "Delete"
    })
    if (!sure) return
    props.onDeleted?.()
    await exports.remove(id())
  }

  return (
    <div class="actions">
      <Show when={status() === "completed"}>
        <button
          type="button"
          class="strong"
          disabled={fetching()}
          aria-describedby={props.described}
          onClick={() => void download()}
        >
          <Icon name="download" /> Download
        </button>
      </Show>
      <Show when={status() === "failed" || status() === "cancelled"}>
        <button
          type="button"
          disabled={busy()}
          aria-describedby={props.described}
          onClick={() => void exports.retry(id())}
        >
          <Icon name="retry" /> Retry
        </button>
      </Show>
      <Show
        when={status() === "pending" || status() === "processing"}
        fallback={
          <button
            type="button"
            class="quiet only-icon"
            aria-label="Delete"
            title="Delete"
            disabled={busy()}
            aria-describedby={props.described}
            onClick={() => void remove()}
          >
            <Icon name="trash" />
          </button>
        }
      >
        <button
          type="button"
          disabled={busy()}
          aria-describedby={props.described}
          onClick={() => void exports.cancel(id())}
        >
          Cancel
        </button>
      </Show>
    </div>
  )
}
