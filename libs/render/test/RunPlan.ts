import type { Plan, Task } from "@reelay/contracts/Plan"
import { execa } from "execa"
import { createReadStream } from "node:fs"
import { mkdir, writeFile } from "node:fs/promises"
import { commandFor } from "../src/Command.ts"
import type { Expectation } from "../src/TaskCommand.ts"
import { examinations, mayBeDamaged } from "../src/Damage.ts"
import { seamChecks } from "../src/SmartCutCheck.ts"
import { decodeCheck, differences, readArguments, Reading } from "../src/Verify.ts"

/** A whole plan on this machine, task by task, as a farm of one would run it. ZIP tasks are left out. */
export interface Ran {
  /** What each task made, by its key: the media file first. */
  readonly made: ReadonlyMap<string, ReadonlyArray<Expectation>>
  /** The finished files, in the order of the plan. */
  readonly outputs: ReadonlyArray<Expectation>
}

/** Makes all of a plan and proves it (every file, or only the finished ones); throws with every difference. */
export const runPlan = async (
  plan: Plan,
  sources: ReadonlyArray<string>,
  folder: string,
  proven: "all" | "outputs" = "all",
  image: (id: string) => string = () => ""
): Promise<Ran> => {
  const made = new Map<string, ReadonlyArray<Expectation>>()
  for (const task of plan.tasks) {
    const { _tag } = task.work
    if (_tag === "zip") continue
    const files = await makeTask(plan, task, sources, folder, made, image)
    for (const file of proven === "all" || isFile(task) ? files : []) {
      const found = await verify(file)
      if (found.length > 0) throw new Error(`${_tag}: ${found.join("; ")}`)
    }
    made.set(task.key, files)
  }
  return { made, outputs: plan.tasks.filter(isFile).flatMap((task) => made.get(task.key)?.slice(0, 1) ?? []) }
}

const isFile = ({ work }: Task): boolean => work._tag === "mux" || work._tag === "pass"

/** Runs the commands of one task, and believes them. */
export const makeTask = async (
  plan: Plan,
  task: Task,
  sources: ReadonlyArray<string>,
  folder: string,
  made: ReadonlyMap<string, ReadonlyArray<Expectation>>,
  image: (id: string) => string = () => ""
): Promise<ReadonlyArray<Expectation>> => {
  const own = `${folder}/${task.key.slice(0, 16)}`
  await mkdir(own, { recursive: true })
  const command = commandFor(plan, task, {
    source: (index) => sources[index] ?? "",
    image,
    made: (key) => made.get(key)?.[0]?.path ?? "",
    folder: own,
    device: null
  })
  for (const path of command.folders) await mkdir(path, { recursive: true })
  for (const file of command.files) await writeFile(file.path, file.text)
  let said = ""
  for (const step of command.steps) {
    const { stderr } = await execa("ffmpeg", step.argv)
    if (step.measures === undefined) said += `${stderr}\n`
    else for (const file of step.measures(stderr)) await writeFile(file.path, file.text)
    if (step.inspects === undefined) continue
    const { feed, obstacle } = step.inspects.look()
    for await (const bytes of createReadStream(step.inspects.path)) feed(bytes)
    const found = obstacle()
    if (found !== null) throw new Error(found)
  }
  // A decoder that starts in the middle may grumble about what it lacks: only what is shown counts.
  if (mayBeDamaged(said)) {
    for (const { argv, reading, verdict } of examinations(plan, task.work, (index) => sources[index] ?? "")) {
      const { stderr, stdout } = await execa("ffprobe", argv)
      reading.feed(stdout)
      const found = verdict(stderr)
      if (found !== null) throw new Error(found)
    }
  }
  return command.makes
}

/** Every way in which a file is not what was planned. */
export const verify = async (expectation: Expectation): Promise<ReadonlyArray<string>> => {
  const reading = new Reading()
  const read = await execa("ffprobe", readArguments(expectation), { maxBuffer: 1 << 28 })
  reading.feed(read.stdout)
  const check = decodeCheck(expectation)
  const said = check === null ? "" : (await execa(check.program, check.argv, { reject: false })).stderr
  const decoded = check?.complains(said) === true ? said : ""
  const found = [...differences(expectation, reading.end()), ...[read.stderr, decoded].filter((said) => said !== "")]
  for (const { argv, differences } of seamChecks(expectation))
    found.push(...differences((await execa("ffmpeg", argv)).stdout))
  return found
}
