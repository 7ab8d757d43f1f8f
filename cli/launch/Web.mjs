import { createHash } from "node:crypto"
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { step } from "./Say.mjs"
import { root, toolchain } from "./Root.mjs"

const web = join(root, "web")
const built = join(web, "dist")
const stamp = join(built, ".stamp")

/** Whatever the page is made of: its own folder but for tests and results, the contracts, the packages. */
const sources = () => {
  const files = []
  const walk = (path) => {
    for (const name of readdirSync(path).toSorted()) {
      if (name === "node_modules" || name === "test" || name.startsWith("dist")) continue
      const each = join(path, name)
      if (statSync(each).isDirectory()) walk(each)
      else files.push(each)
    }
  }
  walk(web)
  walk(join(root, "libs", "contracts", "src"))
  files.push(join(root, "package-lock.json"))
  return files
}

const digest = () => {
  const hash = createHash("sha256")
  for (const file of sources())
    hash.update(file.slice(root.length)).update("\0").update(readFileSync(file)).update("\0")
  return hash.digest("hex")
}

export const complete = () => existsSync(stamp) && readFileSync(stamp, "utf8") === digest()

/** Built beside the old one and then put in its place: a running api never serves half a page. */
export const bring = async (node) => {
  const wanted = digest()
  const fresh = join(toolchain, "web-fresh")
  const old = join(toolchain, "web-old")
  const vite = join(root, "node_modules", "vite", "bin", "vite.js")
  await step("building the web page", [node, vite, "build", "--outDir", fresh, "--emptyOutDir"], { cwd: web })
  writeFileSync(join(fresh, ".stamp"), wanted)
  rmSync(old, { recursive: true, force: true })
  if (existsSync(built)) renameSync(built, old)
  renameSync(fresh, built)
  rmSync(old, { recursive: true, force: true })
}
