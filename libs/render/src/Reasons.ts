import type { Family } from "@reelay/contracts/Export"
import { isSmartCut, type Plan, type Task, type Work } from "@reelay/contracts/Plan"

/** Why a plan is as it is, in an operator's words. `refusals`: why files are no smart cuts, one for each that is none. */
export const reasonsOf = (
  plan: Omit<Plan, "reasons">,
  family: Family,
  refusals: ReadonlyArray<string>
): ReadonlyArray<string> => {
  const { spec, tasks } = plan
  const { codec, sound } = spec.target
  const count = (is: (work: Work) => boolean) => tasks.filter(({ work }) => is(work)).length
  const parts = tasks.flatMap((task): ReadonlyArray<Pick<Task, "frames" | "work">> =>
    task.work._tag === "pass" ? task.work.parts : [task]
  )
  const frames = (is: (work: Work) => boolean) =>
    parts.reduce((sum, part) => sum + (is(part.work) ? part.frames : 0), 0)

  const copied = frames((work) => work._tag === "copy")
  const chunks = count((work) => work._tag === "chunk" && work.edge === undefined)
  const dissolves = count((work) => work._tag === "dissolve")
  const passes = count((work) => work._tag === "pass" && !isSmartCut(plan, work))
  const way = [
    ...(copied > 0 ? [`smart cut, ${copied} frames copied as they are, ${frames(isEdge)} encoded beside them`] : []),
    ...(chunks > 0 ? [`${chunks} chunks, frame-exact, at constant quality`] : []),
    ...(dissolves > 0 ? [`${dissolves} dissolves between them`] : []),
    ...(passes > 0 ? [`one pass: shorter than a chunk${passes > 1 ? ` (${passes} files)` : ""}`] : [])
  ].join("; ")
  return [
    `picture: ${way}, ${codec} on ${family}`,
    ...[...new Set(refusals)].map((refusal) => `no smart cut: ${refusal}`),
    !sound
      ? "no clip has sound"
      : parts.some(({ work }) => work._tag === "soundcopy")
        ? "sound: copied with the picture"
        : "sound: cut per clip, encoded once"
  ]
}

const isEdge = (work: Work): boolean => work._tag === "chunk" && work.edge !== undefined
