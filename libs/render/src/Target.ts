import type { Settings } from "@reelay/contracts/Export"
import type { MediaInfo } from "@reelay/contracts/Media"
import type { Aspect } from "@reelay/contracts/Project"
import type { Target } from "@reelay/contracts/RenderSpec"
import { Result } from "effect"

export type TargetRefusal =
  /** A clip (position) has another aspect than the output and nothing says how to fit it. */
  | { readonly _tag: "missingCrop"; readonly clip: number; readonly detail: string }
  /** A setting that cannot be, or does not work yet. `field` as in the request, e.g. `settings.codec`. */
  | { readonly _tag: "setting"; readonly field: string; readonly detail: string }

/** Resolves every `auto` and `source` against the clips' media (in clip order). */
export const resolveTarget = (
  _settings: Settings,
  _aspect: Aspect,
  _clips: ReadonlyArray<MediaInfo>
): Result.Result<Target, TargetRefusal> => {
  throw new Error("stub")
}
