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

const send = async (method: string, url: string, path: string, body: object): Promise<string> => {
  const headers = { "content-type": "application/json" }
  const response = await fetch(`${url}${path}`, { method, headers, body: JSON.stringify(body) })
  const made = (await response.json()) as { readonly id: string }
  if (!response.ok) throw new Error(`${response.status} ${JSON.stringify(made)}`)
  return made.id
}

/** Answers with the id of what was made. */
export const post = (url: string, path: string, body: object): Promise<string> => send("POST", url, path, body)
export const change = (url: string, path: string, body: object): Promise<string> => send("PUT", url, path, body)

export const submit = (url: string, request: object): Promise<string> => post(url, "/api/exports", request)

/** The first output of a finished export. */
export const download = async (url: string, id: string, to: string): Promise<void> => {
  await execa("curl", ["-sSfL", "-o", to, `${url}/api/exports/${id}/download`])
}

interface Seen {
  readonly id: string
  readonly status: string
  readonly outputs: ReadonlyArray<{ readonly bytes: number }>
}

/** Waits for the end of an export; the bytes of its first output. Over the WebSocket: asking again and again would be part of the load. */
export const completed = (url: string, id: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(`${url.replace("http", "ws")}/ws`)
    const end = (settle: () => void) => {
      socket.close()
      settle()
    }
    socket.addEventListener("open", () => socket.send(JSON.stringify({ type: "subscribe", exports: [id] })))
    socket.addEventListener("error", () => reject(new Error("the WebSocket broke")))
    socket.addEventListener("message", ({ data }) => {
      const message = JSON.parse(String(data)) as { readonly exports?: ReadonlyArray<Seen>; readonly export?: Seen }
      const seen = message.export ?? message.exports?.find((one) => one.id === id)
      if (seen?.status === "completed") end(() => resolve(seen.outputs[0]?.bytes ?? 0))
      else if (seen?.status === "failed") end(() => reject(new Error(JSON.stringify(seen))))
    })
  })
