import { Context, Effect, Layer, Schema } from "effect"
import { realpathSync } from "node:fs"
import { dirname, isAbsolute, join } from "node:path"
import { EncoderConfig } from "./EncoderConfig.ts"
import { type Command, Processes } from "./Processes.ts"

/** What a confined program may touch. All paths absolute. */
export interface Reach {
  /** Files it reads. */
  readonly reads: ReadonlyArray<string>
  /** The one folder it writes. */
  readonly folder: string | null
  /** Whether it may talk to the graphics devices. */
  readonly devices: boolean
}

export class SandboxUnavailable extends Schema.TaggedError<SandboxUnavailable>()("SandboxUnavailable", {
  message: Schema.String
}) {}

/** Every bind mount costs a little, and an argument list has an end: beyond this, the folder that holds them all. */
const MAX_BINDS = 200

/** The folders of a system that programs need to run at all: code, no data. */
const SYSTEM = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store"]
const SETTINGS = [
  "/etc/ld.so.cache",
  "/etc/ld.so.conf",
  "/etc/ld.so.conf.d",
  "/etc/alternatives",
  "/etc/fonts",
  "/etc/OpenCL",
  "/etc/vulkan"
]
const DEVICES = [
  "/dev/dri",
  "/dev/nvidia0",
  "/dev/nvidia1",
  "/dev/nvidia2",
  "/dev/nvidia3",
  "/dev/nvidiactl",
  "/dev/nvidia-uvm",
  "/dev/nvidia-uvm-tools",
  "/dev/kfd"
]

/** The deepest folder above all of them. */
export const commonFolder = (paths: ReadonlyArray<string>): string => {
  const [first, ...rest] = paths.map((path) => dirname(path).split("/"))
  if (first === undefined) return "/"
  let depth = first.length
  for (const parts of rest) {
    let same = 0
    while (same < depth && parts[same] === first[same]) same++
    depth = same
  }
  return first.slice(0, depth).join("/") || "/"
}

/**
 * bubblewrap's arguments: no network, no other processes, a root of the system's code only, the inputs read-only, the
 * task's folder writable. Pure; `program` is where the executable really lies.
 */
export const confinement = (program: string, reach: Reach): ReadonlyArray<string> => {
  const args = ["--unshare-all", "--die-with-parent", "--cap-drop", "ALL", "--hostname", "encoder"]
  const bind = (mode: string, path: string) => args.push(mode, path, path)
  for (const path of SYSTEM) bind("--ro-bind-try", path)
  for (const path of SETTINGS) bind("--ro-bind-try", path)
  args.push("--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp")
  if (isAbsolute(program) && !SYSTEM.some((path) => program.startsWith(`${path}/`))) {
    const folder = dirname(program)
    bind("--ro-bind-try", folder)
    bind("--ro-bind-try", join(dirname(folder), "lib"))
  }
  if (reach.devices) {
    for (const path of DEVICES) bind("--dev-bind-try", path)
    bind("--ro-bind-try", "/sys")
  }
  const reads = reach.folder === null ? reach.reads : reach.reads.filter((path) => !path.startsWith(`${reach.folder}/`))
  if (reads.length > MAX_BINDS) bind("--ro-bind", commonFolder(reads))
  else for (const path of new Set(reads)) bind("--ro-bind", path)
  if (reach.folder !== null) {
    bind("--bind", reach.folder)
    args.push("--chdir", reach.folder)
  }
  return [...args, "--"]
}

/** Where a program of the PATH lies, itself if it is a path or nowhere. */
const located = (program: string): string => {
  const candidates = program.includes("/")
    ? [program]
    : (process.env["PATH"] ?? "").split(":").map((folder) => join(folder, program))
  for (const candidate of candidates) {
    try {
      return realpathSync(candidate)
    } catch {
      continue
    }
  }
  return program
}

/** ffmpeg is treated as if it could be taken over: where bubblewrap works it runs confined. */
export class Sandbox extends Context.Service<
  Sandbox,
  {
    readonly active: boolean
    confine(command: Command, reach: Reach): Command
  }
>()("@reelay/encoder/Sandbox") {
  static readonly layer = Layer.effect(
    Sandbox,
    Effect.gen(function* () {
      const settings = yield* EncoderConfig
      const processes = yield* Processes
      const open = Sandbox.of({
        active: false,
        confine: (command, reach) => ({ ...command, cwd: reach.folder ?? "/" })
      })
      if (settings.sandbox === "off") return open

      const places = new Map([settings.ffmpeg, settings.ffprobe].map((program) => [program, located(program)]))
      const confine = (command: Command, reach: Reach): Command => ({
        ...command,
        file: "bwrap",
        args: [
          ...confinement(places.get(command.file) ?? command.file, reach),
          places.get(command.file) ?? command.file,
          ...command.args
        ],
        cwd: "/"
      })
      // Tried with what will really run: in many containers bwrap is there but may not make namespaces.
      const tried = yield* processes
        .collect(
          confine({ file: settings.ffmpeg, args: ["-version"] }, { reads: [], folder: null, devices: false }),
          10
        )
        .pipe(
          Effect.map((ended) =>
            ended.exitCode === 0 ? null : ended.stderr.trim().slice(0, 300) || "it does not work"
          ),
          Effect.catchTag("CannotStart", () => Effect.succeed("bwrap is not installed"))
        )
      if (tried === null) return Sandbox.of({ active: true, confine })
      const reason = /failed to execute bwrap/.test(tried) ? "bwrap is not installed" : tried
      if (settings.sandbox === "require") {
        return yield* new SandboxUnavailable({
          message: `REELAY_SANDBOX=require, but ffmpeg cannot be confined: ${reason}`
        })
      }
      yield* Effect.logWarning("ffmpeg runs without a sandbox", { reason })
      return open
    })
  )
}
