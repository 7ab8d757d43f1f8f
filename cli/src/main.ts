import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Console, Effect, Exit, Layer } from "effect"
import { CliConfig, CliError, CliOutput, Command, GlobalFlag } from "effect/cli"
import { cancel, delete_, retry } from "./commands/Changes.ts"
import { drain, nodes } from "./commands/Nodes.ts"
import { export_ } from "./commands/Export.ts"
import { exports_ } from "./commands/Exports.ts"
import { stop } from "./commands/Stop.ts"
import { up } from "./commands/Up.ts"
import { videos } from "./commands/Videos.ts"
import { Place } from "./stack/Place.ts"

const reelay = Command.make("reelay").pipe(
  Command.withDescription(
    "Start an export, close everything, come back to the finished file.\n\n"
      + "REELAY_DATA (.reelay) and REELAY_PORT (8080) say which Reelay of this machine is meant."
  ),
  Command.withSubcommands([up, stop, export_, exports_, cancel, retry, videos, delete_, nodes, drain])
)

/** Uploads and downloads take as long as they take; the calls between them have limits of their own. */
const Http = NodeHttpClient.layerUndiciOptions({ headersTimeout: 0, bodyTimeout: 0 })

/** A mistake in the command line is a line or two, not two screens of help with the mistake below them. */
const Output = Layer.mergeAll(
  CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] }),
  Layer.succeed(CliOutput.Presenter, {
    present: (event) =>
      event._tag === "InvalidInvocation"
        ? Console.error(
            [
              ...event.errors.map(({ message }) => `reelay: ${message}`),
              `See: ${["npm run reelay --", ...event.commandPath.slice(1), "--help"].join(" ")}`
            ].join("\n")
          )
        : CliOutput.defaultPresenter.present(event)
  })
)

/** With a command that is none, `--help` is no wish for the help of all: without it the mistake is said. */
const argumentsOf = (argv: ReadonlyArray<string>): ReadonlyArray<string> => {
  const name = argv.find((each) => !each.startsWith("-"))
  const known = reelay.subcommands.some(({ commands }) => commands.some((each) => each.name === name))
  return name === undefined || known ? argv : argv.filter((each) => each !== "--help" && each !== "-h")
}

const program = Effect.suspend(() =>
  Command.runWith(reelay, { version: "0.1.0" })(argumentsOf(process.argv.slice(2)))
).pipe(
  Effect.as(0),
  Effect.catch((error) => {
    if (error._tag === "Interrupted") return Effect.succeed(error.exitCode)
    if (error._tag === "Refused") return Effect.succeed(1)
    // What was wrong with the command line has been said.
    if (CliError.isCliError(error))
      return Effect.succeed(error._tag === "ShowHelp" && error.errors.length === 0 ? 0 : 2)
    return Console.error(`reelay: ${error.message}`).pipe(Effect.as(1))
  }),
  Effect.provide(Layer.mergeAll(NodeServices.layer, Place.layer, Http, Output))
)

// Not runMain: what a signal means is each command's to say (Signals), and none may be cut off in its cleaning up.
Effect.runFork(program).addObserver((exit) => {
  if (Exit.isFailure(exit)) console.error(`reelay: ${Cause.pretty(exit.cause)}`)
  const end = () => process.exit(Exit.isSuccess(exit) ? exit.value : 1)
  // What was said is with whoever reads it first: a pipe whose reader is slow holds some of it back.
  process.stdout.write("", () => process.stderr.write("", end))
})
