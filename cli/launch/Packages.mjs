import { createHash } from "node:crypto"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { npm } from "./Npm.mjs"
import { step } from "./Say.mjs"
import { root } from "./Root.mjs"

const stamp = join(root, "node_modules", ".reelay-stamp")

const read = (path) => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return null
  }
}

const lockfile = () => readFileSync(join(root, "package-lock.json"), "utf8")
const digest = () => `${process.platform}-${process.arch} ${createHash("sha256").update(lockfile()).digest("hex")}`

/** Somebody ran npm themselves: npm's own note of what it installed says whether that is what the lock file asks for. */
const installedByHand = () => {
  const note = read(join(root, "node_modules", ".package-lock.json"))
  if (note === null) return false
  const have = JSON.parse(note).packages
  return Object.entries(JSON.parse(lockfile()).packages).every(([path, wanted]) => {
    if (!path.includes("node_modules/")) return true
    const found = have[path]
    if (found === undefined) return wanted.optional === true || wanted.devOptional === true
    return wanted.link === true || (found.version === wanted.version && found.integrity === wanted.integrity)
  })
}

export const complete = () => {
  const wanted = digest()
  if (read(stamp) === wanted) return true
  if (!installedByHand()) return false
  writeFileSync(stamp, wanted)
  return true
}

/** The stamp is the last thing written: an `npm ci` that was killed is done again. */
export const bring = async () => {
  const wanted = digest()
  await step("installing the packages (npm ci)", npm("ci", "--workspaces", "--include-workspace-root"), { cwd: root })
  writeFileSync(stamp, wanted)
}
