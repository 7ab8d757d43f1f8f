import { ExportId } from "@reelay/contracts/Ids"
import { A, useNavigate, useParams } from "@solidjs/router"
import { DateTime, Result, Schema } from "effect"
import { createEffect, createMemo, createResource, createSignal, For, Match, on, Show, Switch } from "solid-js"
import { failureOf } from "../api/Problem.ts"
import { useStudio } from "../live/Studio.ts"
import type { ExportView } from "../state/ExportView.ts"
import { bytesText, momentText, segmentsText, settingsText, timecodeText } from "../state/Words.ts"
import { Actions } from "./Actions.tsx"
import { Icon } from "./Icon.tsx"
import { Player } from "./Player.tsx"
import { StatusLine } from "./StatusLine.tsx"

const idOf = Schema.decodeUnknownResult(ExportId)
const moment = (at: DateTime.Utc) => momentText(DateTime.toEpochMillis(at))

/** What was tried and did not work: for whoever wants to know why. */
const Attempts = (props: { readonly view: ExportView }) => {
  const { client } = useStudio()
  const [attempts] = createResource(
    () => ({ id: props.view.row.id, status: props.view.row.status, epoch: props.view.epoch }),
    ({ id }) =>
      client.attempts(id).then(
        (list) => list.items,
        () => []
      )
  )
  return (
    <Show when={(attempts.latest ?? []).length > 0}>
      <h2>What was tried</h2>
      <ol class="attempts">
        <For each={attempts.latest}>
          {(attempt) => (
            <li>
              <p>
                {attempt.error.title}. {attempt.error.detail}
              </p>
              <p class="meta">
                {attempt.kind} on {attempt.nodeId} · {moment(attempt.at)}
              </p>
              <Show when={attempt.log !== ""}>
                <details>
                  <summary>Log</summary>
                  <pre>{attempt.log}</pre>
                </details>
              </Show>
            </li>
          )}
        </For>
      </ol>
    </Show>
  )
}

const Facts = (props: { readonly view: ExportView }) => {
  const row = () => props.view.row
  return (
    <dl class="facts-list">
      <dt>Settings</dt>
      <dd>{settingsText(row().settings)}</dd>
      <Show when={segmentsText(row())}>
        {(kept) => (
          <>
            <dt>Kept part</dt>
            <dd>{kept()}</dd>
          </>
        )}
      </Show>
      <dt>Length</dt>
      <dd>
        {timecodeText(row().duration)} · {row().frames} frames
      </dd>
      <Show when={row().encoder}>
        {(encoder) => (
          <>
            <dt>Encoder</dt>
            <dd>{encoder()}</dd>
          </>
        )}
      </Show>
      <dt>Requested</dt>
      <dd>{moment(row().createdAt)}</dd>
      <Show when={row().completedAt}>
        {(at) => (
          <>
            <dt>Ended</dt>
            <dd>{moment(at())}</dd>
          </>
        )}
      </Show>
      <For each={row().outputs}>
        {(output) => (
          <>
            <dt>File</dt>
            <dd>
              {output.name}
              <span class="meta">
                {bytesText(output.bytes)}
                {output.width > 0 ? ` · ${output.width} × ${output.height}` : ""}
              </span>
              <span class="meta digest">SHA-256 {output.sha256}</span>
            </dd>
          </>
        )}
      </For>
      <dt>Id</dt>
      <dd class="digest">{row().id}</dd>
    </dl>
  )
}

const Missing = (props: { readonly why: string }) => (
  <div class="state" role="alert">
    <Icon name="film" />
    <p class="state-main">This export is not there</p>
    <p class="meta">{props.why}</p>
  </div>
)

/** One export by itself, under an address that can be kept. */
export const ExportPage = () => {
  const { client, exports, live, sources } = useStudio()
  const params = useParams<{ id: string }>()
  const navigate = useNavigate()
  const [problem, setProblem] = createSignal<string | null>(null)
  const id = createMemo(() => Result.getOrElse(idOf(params.id), () => null))
  const view = createMemo(() => {
    const known = id()
    return known === null ? null : exports.view(known)
  })
  const [asked, { refetch }] = createResource(
    () => (exports.loaded() ? id() : null),
    async (known) => {
      try {
        exports.dispatch({ type: "rows", exports: [await client.export(known)] })
        return null
      } catch (error) {
        return failureOf(error)
      }
    }
  )
  /** Why there is nothing to show; null while it is being asked for. */
  const failure = () => {
    if (exports.loaded()) return asked.loading ? null : (asked() ?? null)
    return live.loading() ? null : exports.failure()
  }
  const again = () => void (exports.loaded() ? refetch() : live.load())
  createEffect(() => {
    const row = view()?.row
    if (row) sources.need(row)
  })
  createEffect(on(id, () => setProblem(null)))

  return (
    <article class="single" data-export-id={params.id} data-status={view()?.status} aria-labelledby="single-title">
      <A href="/" class="back">
        <Icon name="back" /> All exports
      </A>
      <Show
        when={view()}
        fallback={
          <Switch
            fallback={
              <p class="meta" role="status">
                Loading
              </p>
            }
          >
            <Match when={id() === null}>
              <Missing why="Its address is not one of an export." />
            </Match>
            <Match when={failure()}>
              {(failure) => (
                <Show
                  when={failure().status !== 404}
                  fallback={<Missing why="It was deleted, or its address is wrong." />}
                >
                  <div class="state" role="alert">
                    <Icon name="alert" />
                    <p class="state-main">The export could not be loaded</p>
                    <p class="meta">{failure().message} If it is running, it goes on.</p>
                    <button type="button" onClick={again}>
                      <Icon name="retry" /> Try again
                    </button>
                  </div>
                </Show>
              )}
            </Match>
          </Switch>
        }
      >
        {(shown) => (
          <>
            <h1 id="single-title" class="single-title">
              {sources.title(shown().row)}
            </h1>
            <Show when={shown().status === "completed" && shown().row.outputs[0]?.contentType !== "application/zip"}>
              <Player id={shown().row.id} title={sources.title(shown().row)} autoplay={false} />
            </Show>
            <div class="single-standing">
              <StatusLine view={shown()} title={sources.title(shown().row)} />
              <Actions
                view={shown()}
                title={sources.title(shown().row)}
                described="single-title"
                onDeleted={() => navigate("/")}
                onError={setProblem}
              />
            </div>
            <Show when={problem() ?? exports.note(shown().row.id)}>
              {(message) => (
                <p class="wrong" role="alert">
                  {message()}
                </p>
              )}
            </Show>
            <Facts view={shown()} />
            <Attempts view={shown()} />
          </>
        )}
      </Show>
    </article>
  )
}
