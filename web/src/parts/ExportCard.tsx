import type { ExportId } from "@reelay/contracts/Ids"
import { A } from "@solidjs/router"
import { DateTime } from "effect"
import { createEffect, createMemo, createSignal, createUniqueId, Show } from "solid-js"
import { useStudio } from "../live/Studio.ts"
import { agoText, bytesText, listed, momentText, segmentsText, settingsText } from "../state/Words.ts"
import { Actions } from "./Actions.tsx"
import { Player } from "./Player.tsx"
import { StatusLine } from "./StatusLine.tsx"
import { Thumb } from "./Thumb.tsx"

/** One export in the list. */
export const ExportCard = (props: { readonly id: ExportId }) => {
  const { away, exports, now, sources } = useStudio()
  const view = createMemo(() => exports.view(props.id))
  const [playing, setPlaying] = createSignal(false)
  const [problem, setProblem] = createSignal<string | null>(null)
  const name = createUniqueId()
  createEffect(() => {
    const row = view()?.row
    if (row) sources.need(row)
  })
  createEffect(() => {
    if (view()?.status !== "completed") setPlaying(false)
  })

  return (
    <Show when={view()}>
      {(shown) => {
        const row = () => shown().row
        const title = () => sources.title(row())
        const bytes = () => row().outputs.reduce((sum, output) => sum + output.bytes, 0)
        const facts = () =>
          listed([settingsText(row().settings), segmentsText(row()), bytes() === 0 ? null : bytesText(bytes())])
        const fresh = () => away.ended().some((ended) => ended.id === props.id)
        const at = () => row().completedAt ?? row().createdAt
        return (
          <article
            class="card"
            data-export-id={props.id}
            data-status={shown().status}
            aria-labelledby={name}
            aria-busy={shown().action !== null}
          >
            <Thumb view={shown()} described={name} playing={playing()} onPlay={() => setPlaying((on) => !on)} />
            <div class="card-body">
              <h3 class="card-title">
                <Show when={fresh()}>
                  <span class="badge">New</span>
                </Show>
                <A id={name} href={`/exports/${props.id}`} title={title()}>
                  {title()}
                </A>
              </h3>
              <p class="meta card-facts">
                {facts()}
                <span class="dot"> · </span>
                <time datetime={DateTime.formatIso(at())} title={momentText(DateTime.toEpochMillis(at()))}>
                  {agoText(DateTime.toEpochMillis(at()), now())}
                </time>
              </p>
              <StatusLine view={shown()} title={title()} />
            </div>
            <Actions view={shown()} title={title()} described={name} onError={setProblem} />
            <Show when={problem() ?? exports.note(props.id)}>
              {(message) => (
                <p class="wrong card-wrong" role="alert">
                  {message()}
                </p>
              )}
            </Show>
            <Show when={playing()}>
              <Player id={props.id} title={title()} autoplay />
            </Show>
          </article>
        )
      }}
    </Show>
  )
}
