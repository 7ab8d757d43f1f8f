import { Config, Context, Effect, Layer, Schema } from "effect"
import { realpathSync } from "node:fs"
import { join } from "node:path"
import { confinement, type Reach } from "./Confinement.ts"
import { type Command, Processes } from "./Processes.ts"

/** `auto`: where bubblewrap works. `require`: or the service does not start. */
export type SandboxMode = "auto" | "off" | "require"

export const sandboxMode: Config.Config<SandboxMode> = Config.Literals(
  ["auto", "off", "require"],
  "REELAY_SANDBOX"
).pipe(Config.withDefault("auto"))

export class SandboxUnavailable extends Schema.TaggedError<SandboxUnavailable>()("SandboxUnavailable", {
  message: Schema.String
}) {}

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

/** Media tools are treated as if they could be taken over: where bubblewrap works they run confined. */
export class Sandbox extends Context.Service<
  Sandbox,
  {
    readonly active: boolean
    confine(command: Command, reach: Reach): Command
  }
>()("@reelay/platform/Sandbox") {
  /** For `programs`, names on the PATH or absolute paths. What is said of the outcome is said here, once. */
  static readonly layer = (mode: SandboxMode, programs: readonly [string, ...ReadonlyArray<string>]) =>
    Layer.effect(
      Sandbox,
      Effect.gen(function* () {
        const processes = yield* Processes
        const open = Sandbox.of({
          active: false,
          confine: (command, reach) => ({ ...command, cwd: reach.folder ?? "/" })
        })
        if (mode === "off") return open

        const places = new Map(programs.map((program) => [program, located(program)]))
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
          .collect(confine({ file: programs[0], args: ["-version"] }, { reads: [], folder: null, devices: false }), 10)
          .pipe(
            Effect.map((ended) =>
              ended.exitCode === 0 ? null : ended.stderr.trim().slice(0, 300) || "it does not work"
            ),
            Effect.catchTag("CannotStart", () => Effect.succeed("bwrap is not installed"))
          )
        if (tried === null) return Sandbox.of({ active: true, confine })
        const reason = /failed to execute bwrap/.test(tried) ? "bwrap is not installed" : tried
        if (mode === "require") {
          return yield* new SandboxUnavailable({
            message: `REELAY_SANDBOX=require, but media tools cannot be confined: ${reason}`
          })
        }
        yield* Effect.logWarning("media tools run without a sandbox", { reason })
        return open
      })
    )
}
