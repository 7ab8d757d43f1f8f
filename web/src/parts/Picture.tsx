import { createEffect, createSignal, on, Show } from "solid-js"
import { Icon, type IconName } from "./Icon.tsx"

/** A still in the shape of a frame; a drawing while there is none, or when it does not load. */
export const Picture = (props: { readonly src: string | null; readonly icon: IconName }) => {
  const [broken, setBroken] = createSignal(false)
  createEffect(
    on(
      () => props.src,
      () => setBroken(false)
    )
  )
  return (
    <span class="picture">
      <Show when={broken() ? null : props.src} fallback={<Icon name={props.icon} />}>
        {(src) => <img src={src()} alt="" loading="lazy" decoding="async" onError={() => setBroken(true)} />}
      </Show>
    </span>
  )
}
