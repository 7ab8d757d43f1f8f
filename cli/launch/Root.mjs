import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

/** The repository. */
export const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..")
/** What set-up brings and remembers; safe to delete. */
export const toolchain = join(root, ".reelay", "toolchain")
