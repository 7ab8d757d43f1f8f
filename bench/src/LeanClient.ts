import { Agent, request } from "node:http"

export interface Answer {
  readonly status: number
  readonly body: unknown
}
export type Call = (
  method: string,
  path: string,
  body?: unknown,
  headers?: Readonly<Record<string, string>>
) => Promise<Answer>

/** Node's own client, as lean as there is: its processor time is not that of what it asks. */
export const clientOf = (url: string, connections: number): Call => {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  return (method, path, body, more = {}) =>
    new Promise<Answer>((done, failed) => {
      const text = body === undefined ? undefined : JSON.stringify(body)
      const headers = text === undefined ? {} : { "content-type": "application/json", "content-length": text.length }
      const asked = request(`${url}${path}`, { method, agent, headers: { ...headers, ...more } }, (response) => {
        const chunks: Array<Buffer> = []
        response.on("data", (chunk: Buffer) => chunks.push(chunk))
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString()
          done({ status: response.statusCode ?? 0, body: text === "" ? null : JSON.parse(text) })
        })
        response.on("error", failed)
      })
      asked.on("error", failed)
      asked.end(text)
    })
}

/** Asked seldom where asking costs the farm something. */
export const until = async (what: string, check: () => Promise<boolean>, everyMillis = 100, seconds = 180) => {
  for (const end = performance.now() + seconds * 1000; performance.now() < end;) {
    if (await check().catch(() => false)) return
    await new Promise((done) => setTimeout(done, everyMillis))
  }
  throw new Error(`waited ${seconds} s for ${what}`)
}
