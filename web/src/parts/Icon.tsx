/** Drawn on a 16 × 16 grid with one stroke width, so that they sit together. */
const paths = {
  play: "M5 3.2v9.6L12.8 8z",
  download: "M8 2.5v7.2M4.8 6.8 8 10l3.2-3.2M3 13h10",
  trash: "M3 4.5h10M6.5 4.5v-2h3v2M4.5 4.5l.6 9h5.8l.6-9M6.8 7v4M9.2 7v4",
  retry: "M3.2 8a4.8 4.8 0 1 0 1.6-3.6M3 2.8v2.6h2.6",
  close: "M4 4l8 8M12 4l-8 8",
  check: "M3 8.5 6.5 12 13 4.5",
  alert: "M8 2.2 14.5 13.5h-13zM8 6.5v3.2M8 11.6v.1",
  clock: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM8 4.8V8l2.2 1.6",
  scissors:
    "M4.2 2.6a1.7 1.7 0 1 0 0 3.4 1.7 1.7 0 0 0 0-3.4zM4.2 10a1.7 1.7 0 1 0 0 3.4 1.7 1.7 0 0 0 0-3.4zM5.6 5.2 13 12M5.6 10.8 13 4",
  film: "M2.5 3h11v10h-11zM5.2 3v10M10.8 3v10M2.5 6.3h2.7M2.5 9.7h2.7M10.8 6.3h2.7M10.8 9.7h2.7",
  files: "M5 2.5h8.5V11M2.5 5H11v8.5H2.5z",
  upload: "M8 10V2.8M4.8 6 8 2.8 11.2 6M2.5 10.5v3h11v-3",
  stop: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM3.8 3.8l8.4 8.4",
  back: "M9.5 3.5 5 8l4.5 4.5"
} as const
export type IconName = keyof typeof paths

export const Icon = (props: { readonly name: IconName }) => (
  <svg class="icon" classList={{ solid: props.name === "play" }} viewBox="0 0 16 16" aria-hidden="true">
    <path d={paths[props.name]} />
  </svg>
)
