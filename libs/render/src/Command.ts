import type { Operation, Part, Plan, Task } from "@reelay/contracts/Plan"
import { muxCommand } from "./MuxCommand.ts"
import { chunkCommand, dissolveCommand } from "./PictureCommand.ts"
import { copyCommand } from "./SmartCutCommand.ts"
import { soundCopyCommand } from "./SmartCutSound.ts"
import { crossfadeCommand, soundCommand, soundtrackCommand } from "./SoundCommand.ts"
import type { Made, Places, TaskCommand } from "./TaskCommand.ts"

/** The argv of every step of a task. Not for `zip`, which needs no ffmpeg. */
export const commandFor = (plan: Plan, { work }: Task, places: Places): TaskCommand => {
  switch (work._tag) {
    case "pass":
      return passCommand(plan, work.parts, places)
    case "zip":
      throw new Error("a ZIP is not made by ffmpeg")
    default:
      return operationCommand(plan, plan.tasks, work, places)
  }
}

/** `among`: the pieces that a mux joins, with their lengths. */
const operationCommand = (plan: Plan, among: ReadonlyArray<Made>, work: Operation, places: Places): TaskCommand => {
  switch (work._tag) {
    case "chunk":
      return chunkCommand(plan, work, places)
    case "copy":
      return copyCommand(plan, work, places)
    case "soundcopy":
      return soundCopyCommand(plan, work, places)
    case "dissolve":
      return dissolveCommand(plan, work, places)
    case "sound":
      return soundCommand(plan, work, places)
    case "crossfade":
      return crossfadeCommand(plan, work, places)
    case "soundtrack":
      return soundtrackCommand(plan, work, places)
    case "mux":
      return muxCommand(plan, among, work, places)
  }
}

/** Every part in a folder of its own, reading what the parts before it made; only what the last makes is asked for. */
const passCommand = (plan: Plan, parts: ReadonlyArray<Part>, places: Places): TaskCommand => {
  const made = new Map<string, string>()
  const commands = parts.map((part, position) => {
    const folder = `${places.folder}/${position}`
    const command = operationCommand(plan, parts, part.work, {
      ...places,
      folder,
      made: (key) => made.get(key) ?? places.made(key)
    })
    for (const { path } of command.makes.slice(0, 1)) made.set(part.key, path)
    return { ...command, folders: [folder] }
  })
  return {
    folders: commands.flatMap((command) => command.folders),
    files: commands.flatMap((command) => command.files),
    steps: commands.flatMap((command) => command.steps),
    makes: commands.at(-1)?.makes ?? [],
    onDevice: commands.some((command) => command.onDevice)
  }
}
