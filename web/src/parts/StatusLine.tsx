import { For, Match, Show, Switch } from "solid-js"
import type { ExportView } from "../state/ExportView.ts"
import { errorText, leftText, stageText, statusText } from "../state/Words.ts"
import { Icon, type IconName } from "./Icon.tsx"
import { Strip } from "./Strip.tsx"

const Ended = (props: { readonly icon: IconName; readonly text: string }) => (
  <p class="standing-line">
    <span class="status">
      <Icon name={props.icon} /> {props.text}
    </span>
  </p>
)

/** Where an export stands: a word, and while it runs the strip with what is known of its way. */
export const StatusLine = (props: { readonly view: ExportView; readonly title: string }) => {
  const view = () => props.view
  const percent = () => `${Math.floor(view().percent)} %`
  const words = () => (view().action === null ? stageText(view()) : statusText(view()))
  const facts = () =>
    [
      view().stage !== "encoding" || (view().speed ?? 0) < 0.05 ? null : `${(view().speed ?? 0).toFixed(1)}× speed`,
      view().etaSeconds === null ? null : leftText(view().etaSeconds ?? 0)
    ]
      .filter((fact) => fact !== null)
      .join(" · ")

  return (
    <div class="standing">
      <Switch>
        <Match when={view().status === "pending" || view().status === "processing"}>
          <Strip
            label={`Progress of ${props.title}`}
            percent={view().percent}
            text={view().status === "pending" ? words() : `${words()}, ${percent()}`}
            quiet={view().status === "pending"}
          />
          <p class="standing-line">
            <span class="status">
              <Show when={view().status === "pending"}>
                <Icon name="clock" />
              </Show>
              {words()}
            </span>
            <Show when={view().status === "processing"}>
              <span class="percent">{percent()}</span>
              <span class="facts">{facts()}</span>
            </Show>
          </p>
        </Match>
        <Match when={view().status === "completed"}>
          <Ended icon="check" text="Completed" />
          <For each={view().row.warnings}>{({ detail }) => <p class="why">{detail}</p>}</For>
        </Match>
        <Match when={view().status === "cancelled"}>
          <Ended icon="stop" text={statusText(view())} />
        </Match>
        <Match when={view().status === "failed"}>
          <Ended icon="alert" text="Failed" />
          <Show when={view().row.error}>
            {(error) => (
              <p class="why">
                {errorText(error()).what}
                <Show when={errorText(error()).detail}>{(detail) => <> {detail()}</>}</Show>
              </p>
            )}
          </Show>
        </Match>
      </Switch>
    </div>
  )
}
