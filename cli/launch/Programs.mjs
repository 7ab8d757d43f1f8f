import { spawnSync } from "node:child_process"
import { accessSync, constants, readdirSync } from "node:fs"
import { delimiter, join } from "node:path"
import { say, SetUpError, step } from "./Say.mjs"

/** Where servers are installed and a user's PATH often does not look. */
export const systemFolders = ["/usr/local/bin", "/opt/homebrew/bin", "/usr/sbin", "/usr/local/sbin", "/sbin"]

export const find = (program) => {
  for (const folder of [...(process.env.PATH ?? "").split(delimiter), ...systemFolders]) {
    if (folder === "") continue
    try {
      accessSync(join(folder, program), constants.X_OK)
      return join(folder, program)
    } catch {
      continue
    }
  }
  return null
}

const installed = (path) => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const browser = () =>
  process.env.REELAY_CHROMIUM !== undefined
  || ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"].some(find)
  || installed("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
  || installed("/Applications/Chromium.app/Contents/MacOS/Chromium")

/** By need: what must be there, and the packages that bring it. */
const programs = {
  media: [
    {
      there: () => (process.env.REELAY_FFMPEG ?? find("ffmpeg")) && (process.env.REELAY_FFPROBE ?? find("ffprobe")),
      apt: ["ffmpeg"],
      brew: ["ffmpeg"]
    },
    { there: () => find("nats-server"), apt: ["nats-server"], brew: ["nats-server"] }
  ],
  browser: [{ there: browser, apt: ["chromium", "fonts-dejavu-core"], brew: ["--cask", "chromium"] }]
}

export const missing = (needs) => needs.flatMap((need) => programs[need] ?? []).filter(({ there }) => !there())

/** What nothing needs. */
const welcome = [
  // The encoder locks ffmpeg up with it where it is there.
  { name: "bubblewrap", wanted: () => !find("bwrap") },
  // Captions in most scripts of the world: 12 MB. Those of Chinese, Japanese and Korean (fonts-noto-cjk) are 57, and left to
  // whoever wants them; an export says when it lacks letters.
  { name: "fonts-noto-core", wanted: (packages) => packages.includes("ffmpeg") }
]

const apt = (...argv) => ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=300", ...argv]

const withApt = async (packages) => {
  const asRoot = process.getuid?.() === 0
  if (!asRoot && spawnSync("sudo", ["-n", "true"], { stdio: "ignore" }).status !== 0) return false
  const environment = ["env", "DEBIAN_FRONTEND=noninteractive"]
  const prefix = asRoot ? environment : ["sudo", "-n", ...environment]
  const install = (list) => [...prefix, ...apt("install", "-y", "--no-install-recommends", ...list)]
  let fresh = false
  const update = async () => {
    fresh = true
    await step("reading apt's package lists", [...prefix, ...apt("update")], { finish: true })
  }
  let lists = []
  try {
    lists = readdirSync("/var/lib/apt/lists").filter((name) => name.includes("_Packages"))
  } catch {}
  if (lists.length === 0) await update()
  const what = `installing ${packages.join(", ")} with apt`
  try {
    await step(what, install(packages), { finish: true })
  } catch (error) {
    if (fresh) throw error
    await update()
    await step(what, install(packages), { finish: true })
  }
  for (const { name, wanted } of welcome) {
    if (!wanted(packages)) continue
    await step(`installing ${name} with apt`, install([name]), { finish: true }).catch(() =>
      say(`going on without ${name}`)
    )
  }
  return true
}

const withBrew = async (packages) => {
  const env = { ...process.env, HOMEBREW_NO_AUTO_UPDATE: "1", HOMEBREW_NO_ENV_HINTS: "1" }
  for (const list of packages)
    await step(`installing ${list.at(-1)} with brew`, ["brew", "install", ...list], { env, finish: true })
  return true
}

/** Installs them, or says how. */
export const install = async (wanted) => {
  const packages = wanted.flatMap((program) => program.apt)
  if (find("apt-get")) {
    if (await withApt(packages)) return
    throw new SetUpError(
      `${packages.join(", ")} must be installed, and that needs root. Please run:\n\n`
        + `  sudo apt-get update && sudo apt-get install -y ${packages.join(" ")}\n`
    )
  }
  const formulas = wanted.map((program) => program.brew)
  if (find("brew")) {
    if (process.getuid?.() !== 0 && (await withBrew(formulas))) return
    throw new SetUpError(
      `please run, not as root:\n\n  ${formulas.map((f) => `brew install ${f.join(" ")}`).join(" && ")}\n`
    )
  }
  throw new SetUpError(
    `please install ${packages.join(", ")} with this system's package manager (there is neither apt-get nor brew here)`
  )
}
