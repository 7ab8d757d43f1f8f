import { basename } from "node:path"
import { find } from "./Programs.mjs"
import { SetUpError } from "./Say.mjs"

/**
 * npm with what a person's or a machine's npmrc may have set otherwise, said outright: no production-only or global
 * installs, and never a dependency's install script (none is needed, on any version of npm).
 */
const settings = [
  "--ignore-scripts",
  "--include=prod",
  "--include=dev",
  "--include=optional",
  "--include=peer",
  "--global=false",
  "--dry-run=false",
  "--package-lock=true",
  "--package-lock-only=false",
  "--engine-strict=false",
  "--bin-links=true",
  "--install-strategy=hoisted",
  "--install-links=false",
  "--legacy-peer-deps=false",
  "--audit=false",
  "--fund=false",
  "--update-notifier=false",
  "--progress=false",
  "--loglevel=error"
]

/** The command line of npm: the one that runs us, else the one in PATH. It goes with the Node it was made for. */
export const npm = (...argv) => {
  const running = process.env.npm_execpath
  if (running !== undefined && basename(running) === "npm-cli.js") {
    return [process.execPath, running, ...argv, ...settings]
  }
  const found = find("npm")
  if (found === null) throw new SetUpError("npm is needed and not in PATH; please install it (it comes with Node)")
  return [found, ...argv, ...settings]
}
