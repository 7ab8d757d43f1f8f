import { assert } from "@effect/vitest"
import type { Answer } from "./ApiUnderTest.ts"

/** The answer is a problem of this status and code; gives its body. */
export const isProblem = (answer: Answer, status: number, code: string): Readonly<Record<string, unknown>> => {
  assert.strictEqual(answer.status, status, JSON.stringify(answer.body))
  assert.match(answer.headers.get("content-type") ?? "", /^application\/problem\+json/)
  const body = record(answer.body)
  assert.strictEqual(body["code"], code)
  assert.strictEqual(body["type"], `urn:reelay:problem:${code}`)
  assert.strictEqual(body["status"], status)
  assert.isString(body["title"])
  return body
}

export const record = (value: unknown): Readonly<Record<string, unknown>> => {
  assert.isObject(value)
  return Object.fromEntries(Object.entries(value ?? {}))
}

export const itemsOf = (answer: Answer): ReadonlyArray<Readonly<Record<string, unknown>>> => {
  assert.strictEqual(answer.status, 200, JSON.stringify(answer.body))
  const items = record(answer.body)["items"]
  return Array.isArray(items) ? items.map(record) : assert.fail("no items")
}

export const fieldsOf = (body: Readonly<Record<string, unknown>>): ReadonlyArray<unknown> => {
  const errors = body["errors"]
  return Array.isArray(errors) ? errors.map((error) => record(error)["field"]) : []
}

/** Polls for what shows only from outside. */
export const until = async <A>(what: string, check: () => Promise<A | undefined | false>, seconds = 60): Promise<A> => {
  const end = performance.now() + seconds * 1000
  while (performance.now() < end) {
    const found = await check()
    if (found !== undefined && found !== false) return found
    await new Promise((done) => setTimeout(done, 20))
  }
  throw new Error(`waited ${seconds} s for ${what}`)
}

export const NOBODY = "0198c9a0-0000-7000-8000-000000000001"
