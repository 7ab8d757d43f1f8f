import { execa } from "execa"
import { join, resolve } from "node:path"
import type { Farm } from "../../test/Farm.ts"

const root = resolve(import.meta.dirname, "..", "..")

/** `reelay …` as the launcher runs it, on one data folder. */
export const reelay = (place: { readonly data: string; readonly port: number }, ...args: ReadonlyArray<string>) =>
  execa(process.execPath, [join(root, "cli", "src", "main.ts"), ...args], {
    cwd: root,
    env: { REELAY_DATA: place.data, REELAY_PORT: String(place.port) },
    stdin: "ignore",
    reject: false
  })

export const on = (farm: Farm) => ({ data: farm.data, port: farm.port })
