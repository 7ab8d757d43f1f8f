import { createSignal, createUniqueId, Match, Show, Switch } from "solid-js"
import { isTransient } from "../api/Problem.ts"
import type { Draft } from "../live/createDrafts.ts"
import { useStudio } from "../live/Studio.ts"
import { segmentOf } from "../state/Draft.ts"
import { bytesText, clockText, timecodeText } from "../state/Words.ts"
import { Icon } from "./Icon.tsx"
import { Strip } from "./Strip.tsx"
import { TrimEditor } from "./TrimEditor.tsx"

/** One chosen video: how its upload goes, and which part of it is wanted. */
export const DraftRow = (props: { readonly draft: Draft }) => {
  const { drafts } = useStudio()
  const [trimming, setTrimming] = createSignal(false)
  const panel = createUniqueId()
  const draft = () => props.draft
  const percent = () => (draft().bytes === 0 ? 0 : Math.min(100, (draft().sent / draft().bytes) * 100))
  const segment = () => segmentOf(draft().trim, draft().duration)
  const facts = () =>
    [bytesText(draft().bytes), draft().duration === null ? null : clockText(draft().duration ?? 0)]
      .filter((fact) => fact !== null)
      .join(" · ")
  const sending = () => draft().wanted !== null && draft().phase === "ready"

  return (
    <li class="draft" data-phase={draft().phase} aria-label={draft().name}>
      <Show when={draft().duration === null && draft().phase !== "failed"}>
        {/* Reads the length off the local file while it uploads; browsers that cannot leave it to the server. */}
        <video
          hidden
          muted
          preload="metadata"
          src={draft().preview}
          onLoadedMetadata={(event) => drafts.learn(draft().id, event.currentTarget.duration)}
        />
      </Show>
      <div class="draft-head">
        <div class="draft-what">
          <p class="draft-name" title={draft().name}>
            {draft().name}
          </p>
          <p class="meta">
            {facts()}
            <Show when={segment()}>
              {(kept) => (
                <span class="kept">
                  {timecodeText(kept().start)} – {timecodeText(kept().end)}
                </span>
              )}
            </Show>
          </p>
        </div>
        <Show when={draft().phase !== "failed" && draft().wanted === null}>
          <button
            type="button"
            class="quiet"
            disabled={draft().duration === null}
            aria-expanded={trimming()}
            aria-controls={panel}
            onClick={() => setTrimming((open) => !open)}
          >
            <Icon name="scissors" /> Trim
          </button>
        </Show>
        <Show when={!sending()}>
          <button
            type="button"
            class="quiet only-icon"
            aria-label={
              draft().phase === "uploading" || draft().phase === "reading"
                ? `Stop uploading ${draft().name}`
                : `Remove ${draft().name}`
            }
            onClick={() => drafts.remove(draft().id)}
          >
            <Icon name="close" />
          </button>
        </Show>
      </div>

      <Switch>
        <Match when={draft().phase === "waiting"}>
          <p class="meta">Waits for the uploads before it</p>
        </Match>
        <Match when={draft().phase === "uploading"}>
          <Strip label={`Uploading ${draft().name}`} percent={percent()} />
          <p class="meta draft-line">
            <span>Uploading {Math.floor(percent())} %</span>
            <span>
              {bytesText(draft().sent)} of {bytesText(draft().bytes)}
            </span>
          </p>
        </Match>
        <Match when={draft().phase === "reading"}>
          <Strip label={`Checking ${draft().name}`} percent={null} />
          <p class="meta">Checking the video</p>
        </Match>
      </Switch>
      <Show when={draft().wanted !== null}>
        <p class="meta promise">
          {sending()
            ? "Starting the export"
            : "Its export starts by itself. Keep this page open until the upload is done."}
        </p>
      </Show>
      <Show when={draft().failure}>
        {(failure) => (
          <div class="wrong" role="alert">
            <p>{failure().message}</p>
            <Show when={draft().phase === "failed" && isTransient(failure())}>
              <button type="button" class="quiet" onClick={() => drafts.uploadAgain(draft().id)}>
                <Icon name="retry" /> Try again
              </button>
            </Show>
          </div>
        )}
      </Show>
      <div id={panel}>
        <Show when={trimming() && draft().wanted === null ? draft().duration : null}>
          {(duration) => (
            <TrimEditor
              name={draft().name}
              preview={draft().preview}
              duration={duration()}
              trim={draft().trim}
              onChange={(trim) => drafts.trim(draft().id, trim)}
            />
          )}
        </Show>
      </div>
    </li>
  )
}
