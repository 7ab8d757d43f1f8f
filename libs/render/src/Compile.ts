import type { Family } from "@reelay/contracts/Export"
import type { ExportId } from "@reelay/contracts/Ids"
import type { FrameIndex } from "@reelay/contracts/Media"
import type { Build, Plan } from "@reelay/contracts/Plan"
import type { RenderSpec } from "@reelay/contracts/RenderSpec"

/** Part of every task key: raise it whenever the same work would make other bytes. */
export const COMPILER = 1

/** RenderSpec → task graph. Pure and total for a valid spec; the same input gives the same plan. */
export const compile = (_input: {
  readonly exportId: ExportId
  readonly spec: RenderSpec
  readonly family: Family
  readonly build: Build
  /** By `SpecSource.indexKey`. */
  readonly indexes: ReadonlyMap<string, FrameIndex>
}): Plan => {
  throw new Error("stub")
}
