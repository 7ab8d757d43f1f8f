interface StripProps {
  readonly label: string
  /** 0…100; null: nobody can say how far it is. */
  readonly percent: number | null
  /** What a screen reader says instead of the bare number. */
  readonly text?: string | undefined
  readonly quiet?: boolean
}

/** Progress as a strip of film: the frames that are done are lit. */
export const Strip = (props: StripProps) => (
  <div
    class="strip"
    classList={{ unknown: props.percent === null, quiet: props.quiet === true }}
    role="progressbar"
    aria-label={props.label}
    aria-valuemin={0}
    aria-valuemax={100}
    aria-valuenow={props.percent === null ? undefined : Math.floor(props.percent)}
    aria-valuetext={props.text}
  >
    <div class="strip-done" style={{ transform: `scaleX(${(props.percent ?? 0) / 100})` }} />
  </div>
)
