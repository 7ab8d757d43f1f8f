import { freePort } from "@reelay/platform/embedded/FreePort"
import { execa } from "execa"
import { chmod, mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"

const root = resolve(import.meta.dirname, "..", "..")

/** A whole embedded farm for the time of `use`, on a free port and a folder of its own. */
export const withFarm = async (
  use: (farm: { readonly url: string; readonly pid: number }) => Promise<void>,
  environment: Readonly<Record<string, string>> = {}
): Promise<void> => {
  const data = await mkdtemp(join(tmpdir(), "reelay-bench-farm-"))
  await chmod(data, 0o755)
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const farm = execa(process.execPath, [join(root, "cli/src/main.ts"), "up"], {
    env: { ...environment, REELAY_PORT: String(port), REELAY_DATA: data },
    stdin: "ignore",
    reject: false
  })
  try {
    while (
      !(await fetch(`${url}/health/ready`).then(
        (r) => r.ok,
        () => false
      ))
    ) {
      await new Promise((done) => setTimeout(done, 100))
    }
    await use({ url, pid: farm.pid ?? 0 })
  } finally {
    farm.kill("SIGINT")
    await farm
    await rm(data, { recursive: true, force: true })
  }
}
