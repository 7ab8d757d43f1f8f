import { Slider } from "@ark-ui/solid/slider"
import { createEffect, createSignal, createUniqueId, onMount, Show } from "solid-js"
import { clampTrim, SHORTEST, type Trim } from "../state/Draft.ts"
import { parseTimecode, timecodeText } from "../state/Words.ts"

interface TrimEditorProps {
  readonly name: string
  /** `src` of the picture. */
  readonly preview: string
  /** Seconds. */
  readonly duration: number
  readonly trim: Trim | null
  readonly onChange: (trim: Trim | null) => void
}

interface TimeFieldProps {
  readonly label: string
  readonly value: number
  readonly onCommit: (seconds: number) => void
}

/** Takes what is typed when it is finished; what is no time says so and changes nothing. */
const TimeField = (props: TimeFieldProps) => {
  const [wrong, setWrong] = createSignal(false)
  const id = createUniqueId()
  const commit = (input: HTMLInputElement) => {
    const seconds = parseTimecode(input.value)
    setWrong(seconds === null)
    if (seconds === null) return
    props.onCommit(seconds)
    // A value that was clamped to the one before changes no signal, so the field is set by hand.
    input.value = timecodeText(props.value)
  }
  return (
    <div class="time">
      <label for={id}>{props.label}</label>
      <input
        id={id}
        type="text"
        inputmode="decimal"
        autocomplete="off"
        spellcheck={false}
        value={timecodeText(props.value)}
        aria-invalid={wrong()}
        aria-describedby={wrong() ? `${id}-wrong` : undefined}
        onChange={(event) => commit(event.currentTarget)}
        onKeyDown={(event) => {
          if (event.key !== "Enter") return
          // Enter finishes the time; it must not send the form around it.
          event.preventDefault()
          commit(event.currentTarget)
        }}
      />
      <Show when={wrong()}>
        <span class="time-wrong" id={`${id}-wrong`}>
          Write a time like 1:02.5
        </span>
      </Show>
    </div>
  )
}

/** Start and end on one track, with the picture at the end that moves. */
export const TrimEditor = (props: TrimEditorProps) => {
  let box: HTMLDivElement | undefined
  let video: HTMLVideoElement | undefined
  const [picture, setPicture] = createSignal(true)
  const trim = (): Trim => props.trim ?? { start: 0, end: props.duration }
  const show = (seconds: number) => {
    // The very end has no frame.
    if (video !== undefined) video.currentTime = Math.max(0, Math.min(seconds, props.duration - 0.04))
  }
  const change = (next: Trim) => {
    const before = trim()
    const clamped = clampTrim(next, props.duration)
    if (clamped.start !== before.start) show(clamped.start)
    else if (clamped.end !== before.end) show(clamped.end)
    props.onChange(clamped)
  }
  createEffect(() => {
    // The source of the picture changes when the server's copy replaces the local one.
    if (props.preview) setPicture(true)
  })

  // Opened at the foot of a list that scrolls by itself, it would be out of sight.
  onMount(() => box?.scrollIntoView({ block: "nearest" }))

  return (
    <div class="trim" ref={(element) => (box = element)}>
      <Show
        when={picture()}
        fallback={<p class="trim-blind">This browser cannot show this video. The times work all the same.</p>}
      >
        <video
          ref={(element) => (video = element)}
          class="trim-picture"
          src={props.preview}
          muted
          playsinline
          preload="auto"
          aria-label={`Picture of ${props.name} at the trim point`}
          onLoadedMetadata={() => show(trim().start)}
          onError={() => setPicture(false)}
        />
      </Show>
      <Slider.Root
        class="range"
        min={0}
        max={props.duration}
        step={0.01}
        minStepsBetweenThumbs={Math.round(SHORTEST * 100)}
        value={[trim().start, trim().end]}
        aria-label={["Start handle", "End handle"]}
        getAriaValueText={(details) => timecodeText(details.value)}
        onValueChange={({ value: [start, end] }) => {
          if (start !== undefined && end !== undefined) change({ start, end })
        }}
      >
        <Slider.Control class="range-control">
          <Slider.Track class="range-track">
            <Slider.Range class="range-kept" />
          </Slider.Track>
          <Slider.Thumb index={0} class="range-thumb" />
          <Slider.Thumb index={1} class="range-thumb" />
        </Slider.Control>
      </Slider.Root>
      <div class="trim-times">
        <TimeField
          label="Start"
          value={trim().start}
          onCommit={(start) => change({ start, end: Math.max(trim().end, start + SHORTEST) })}
        />
        <TimeField label="End" value={trim().end} onCommit={(end) => change({ start: trim().start, end })} />
      </div>
      <div class="trim-kept">
        <p class="meta">
          Keeps <output>{timecodeText(trim().end - trim().start)}</output> of {timecodeText(props.duration)}
        </p>
        <button type="button" class="quiet" disabled={props.trim === null} onClick={() => props.onChange(null)}>
          Whole video
        </button>
      </div>
    </div>
  )
}
