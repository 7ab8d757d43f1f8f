import { Context, Effect, Layer, Schema } from "effect"
import type { Scope } from "effect"
import { execa } from "execa"
import { marked, sweep } from "./Orphans.ts"

/** A program and its arguments; never a shell. */
export interface Command {
  readonly file: string
  readonly args: ReadonlyArray<string>
  readonly cwd?: string | undefined
  readonly limits?: Limits | undefined
}

export interface Limits {
  /** No file may grow beyond this many bytes. */
  readonly fileBytes?: number | undefined
  /** Address space in bytes. Not for hardware encoders: their drivers reserve more than they use. */
  readonly memoryBytes?: number | undefined
}

export interface Ended {
  readonly exitCode: number | null
  readonly signal: string | null
}

export interface Child {
  readonly pid: number
  /** What it wrote to standard error: the beginning (4 KiB) and the end (8 KiB). */
  readonly said: () => { readonly all: string; readonly tail: string }
  /** Dies of what its reader threw, and by then the process is gone. */
  readonly ended: Effect.Effect<Ended>
  readonly kill: (signal: "SIGTERM" | "SIGKILL") => void
}

export class CannotStart extends Schema.TaggedError<CannotStart>()("CannotStart", { cause: Schema.Defect() }) {}

/** After a polite SIGTERM. */
const KILL_AFTER_MILLIS = 3000
const HEAD = 4096
const TAIL = 8192

/** Only what a codec needs to find its libraries and devices: the service's own secrets stay with it. */
const PASSED_ON =
  /^(?:PATH|HOME|LANG|TMPDIR|LD_LIBRARY_PATH|DYLD_.+|CUDA_.+|NVIDIA_.+|LIBVA_.+|MFX_.+|ONEVPL_.+|VDPAU_.+|AMF_.+)$/
const environment = (): Record<string, string> => {
  const out: Record<string, string> = {}
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && PASSED_ON.test(name)) out[name] = value
  }
  // CUDA would count the fastest first; nvidia-smi, from whom we have the numbers, counts along the bus.
  return { CUDA_DEVICE_ORDER: "PCI_BUS_ID", ...out, ...marked, LC_ALL: "C.UTF-8", AV_LOG_FORCE_NOCOLOR: "1" }
}

/**
 * Child processes that cannot outlive us: each in a process group of its own, ended with its scope (politely, then by
 * force), with this process (by the kernel where it can: `setpriv --pdeathsig`), and else by the next to start.
 */
export class Processes extends Context.Service<
  Processes,
  {
    /** Where `onStdout` throws, the process is killed, and `onStdout` hears no more of it. */
    start(command: Command, onStdout: (text: string) => void): Effect.Effect<Child, CannotStart, Scope.Scope>
    /** Runs a short program to its end. Its output is cut at 64 MiB, or handed to `onStdout` and not kept. */
    collect(
      command: Command,
      timeoutSeconds: number,
      onStdout?: (text: string) => void
    ): Effect.Effect<Ended & { readonly stdout: string; readonly stderr: string }, CannotStart>
  }
>()("@reelay/platform/Processes") {
  static readonly layer = Layer.effect(
    Processes,
    Effect.gen(function* () {
      const ended = yield* sweep
      if (ended > 0) yield* Effect.logWarning("Ended processes that a dead service had left", { processes: ended })
      const works = (file: string, args: ReadonlyArray<string>) =>
        Effect.promise(() =>
          execa(file, args, { reject: false, stdio: "ignore", timeout: 5000 }).then((r) => !r.failed)
        )
      const tied = yield* works("setpriv", ["--pdeathsig", "KILL", "--", "true"])
      const limited = yield* works("prlimit", ["--core=0", "--", "true"])
      if (!limited) {
        yield* Effect.logWarning("prlimit does not work here: media tools run without limits of memory and file size")
      }

      const wrapped = (command: Command): { readonly file: string; readonly args: ReadonlyArray<string> } => {
        const argv = [command.file, ...command.args]
        const { fileBytes, memoryBytes } = command.limits ?? {}
        if (limited) {
          const limits = ["--core=0"]
          if (fileBytes !== undefined) limits.push(`--fsize=${Math.ceil(fileBytes)}`)
          if (memoryBytes !== undefined) limits.push(`--as=${Math.ceil(memoryBytes)}`)
          argv.unshift("prlimit", ...limits, "--")
        }
        if (tied) argv.unshift("setpriv", "--pdeathsig", "KILL", "--")
        const [file = command.file, ...args] = argv
        return { file, args }
      }

      const start = Effect.fn("Processes.start")(function* (command: Command, onStdout: (text: string) => void) {
        return yield* Effect.acquireRelease(
          Effect.gen(function* () {
            const { file, args } = wrapped(command)
            const subprocess = execa(file, args, {
              buffer: false,
              reject: false,
              stdin: "ignore",
              encoding: "utf8",
              killDescendants: true,
              forceKillAfterDelay: KILL_AFTER_MILLIS,
              extendEnv: false,
              env: environment(),
              ...(command.cwd === undefined ? {} : { cwd: command.cwd })
            })
            const log = keepEnds()
            let fault: { readonly thrown: unknown } | null = null
            subprocess.stdout.setEncoding("utf8").on("data", (text: string) => {
              if (fault !== null) return
              try {
                onStdout(text)
              } catch (thrown) {
                // Out of a listener it would end the whole service.
                fault = { thrown }
                subprocess.kill("SIGKILL")
              }
            })
            subprocess.stderr.setEncoding("utf8").on("data", log.add)
            let gone = false
            const settled = subprocess.then((result): Ended & { readonly cause: unknown } => {
              gone = true
              return { exitCode: result.exitCode ?? null, signal: result.signal ?? null, cause: result.cause }
            })
            const { pid } = subprocess
            if (pid === undefined) {
              const { cause } = yield* Effect.promise(() => settled)
              return yield* new CannotStart({ cause })
            }
            const done = Effect.flatMap(
              Effect.promise(() => settled),
              (ended) => (fault === null ? Effect.succeed(ended) : Effect.die(fault.thrown))
            )
            const child: Child & { readonly gone: () => boolean } = {
              pid,
              said: log.read,
              ended: done,
              kill: (signal) => void subprocess.kill(signal),
              gone: () => gone
            }
            return child
          }),
          (child) =>
            Effect.gen(function* () {
              if (!child.gone()) child.kill("SIGTERM")
              yield* Effect.exit(child.ended)
              // Whatever it started is in its group; the leader's end does not end them.
              yield* Effect.sync(() => {
                try {
                  process.kill(-child.pid, "SIGKILL")
                } catch {
                  // The usual case: the group is empty.
                }
              })
            })
        )
      })

      const collect = Effect.fn("Processes.collect")(function* (
        command: Command,
        timeoutSeconds: number,
        onStdout?: (text: string) => void
      ) {
        const parts: Array<string> = []
        let length = 0
        const keep = (text: string) => {
          length += text.length
          if (length <= COLLECT_LIMIT) parts.push(text)
        }
        const child = yield* start(command, onStdout ?? keep)
        const ended = yield* child.ended.pipe(
          Effect.timeoutOrElse({
            duration: timeoutSeconds * 1000,
            orElse: () => Effect.sync(() => child.kill("SIGKILL")).pipe(Effect.andThen(child.ended))
          })
        )
        return { ...ended, stdout: parts.join(""), stderr: child.said().all }
      }, Effect.scoped)

      return Processes.of({ start, collect })
    })
  )
}

const COLLECT_LIMIT = 64 * 1024 * 1024

/** The beginning and the end of a text that may be endless: the first error explains, the last ones tell the state. */
const keepEnds = () => {
  let head = ""
  let tail = ""
  return {
    add: (text: string): void => {
      if (head.length < HEAD) {
        const room = HEAD - head.length
        head += text.slice(0, room)
        tail += text.slice(room)
      } else tail += text
      if (tail.length > 4 * TAIL) tail = tail.slice(-TAIL)
    },
    read: () => ({ all: head + tail, tail: tail.length >= TAIL ? tail.slice(-TAIL) : (head + tail).slice(-TAIL) })
  }
}
