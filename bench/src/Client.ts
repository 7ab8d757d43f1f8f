import { execa } from "execa"
import { basename } from "node:path"

/** The little of the api that measurements need. What it answers is ours, so it is not decoded with care. */
export const upload = async (url: string, path: string): Promise<string> => {
  const { stdout } = await execa("curl", [
    "-sS",
    "-X",
    "POST",
    "-T",
    path,
    `${url}/api/videos?name=${encodeURIComponent(basename(path))}`
  ])
  const { id } = JSON.parse(stdout) as { readonly id?: string }
  if (id === undefined) throw new Error(stdout)
  return id
}

export const submit = async (url: string, request: object): Promise<string> => {
  const response = await fetch(`${url}/api/exports`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(request)
  })
  const made = (await response.json()) as { readonly id: string }
  if (response.status !== 202) throw new Error(`${response.status} ${JSON.stringify(made)}`)
  return made.id
}

/** How often an export is looked at. Milliseconds. */
const EVERY = 20

/** Waits for the end of an export; the bytes of its first output. */
export const completed = async (url: string, id: string): Promise<number> => {
  for (;;) {
    const found = (await (await fetch(`${url}/api/exports/${id}`)).json()) as {
      readonly status: string
      readonly outputs: ReadonlyArray<{ readonly bytes: number }>
    }
    if (found.status === "completed") return found.outputs[0]?.bytes ?? 0
    if (found.status === "failed") throw new Error(JSON.stringify(found))
    await new Promise((done) => setTimeout(done, EVERY))
  }
}
