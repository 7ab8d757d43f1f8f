import { Effect, Exit } from "effect"
import type { Msg, MsgHdrs, NatsConnection } from "nats"
import { BusError } from "./BusError.ts"

/**
 * Connections that broke, and who waits on those that have not. The client closes a broken connection step by step, and
 * a request made between two of the steps would hang until its time is up: here it fails with the connection.
 */
const broken = new WeakSet<NatsConnection>()
const waiting = new WeakMap<NatsConnection, Set<() => void>>()

export const isUsable = (nc: NatsConnection): boolean => !broken.has(nc) && !nc.isClosed()

export const markBroken = (nc: NatsConnection): void => {
  broken.add(nc)
  for (const fail of waiting.get(nc) ?? []) fail()
}

/** What the client answers, or BusError: also when the connection breaks meanwhile. */
export const attempt = <A>(
  nc: NatsConnection,
  operation: BusError["operation"],
  run: () => Promise<A>
): Effect.Effect<A, BusError> =>
  Effect.callback<A, BusError>((resume) => {
    const fail = (cause: unknown) => resume(Effect.fail(new BusError({ operation, cause })))
    if (!isUsable(nc)) return fail(new Error("the connection is closed"))
    const all = waiting.get(nc) ?? new Set()
    waiting.set(nc, all)
    const lost = () => fail(new Error("the connection broke"))
    const settled = () => void all.delete(lost)
    all.add(lost)
    try {
      run().then(
        (value) => {
          settled()
          resume(Effect.succeed(value))
        },
        (cause: unknown) => {
          settled()
          fail(cause)
        }
      )
    } catch (cause) {
      settled()
      fail(cause)
    }
    return Effect.sync(settled)
  })

/** Something that the server answers. */
export interface Question {
  readonly subject: string
  readonly payload: string
  readonly headers?: MsgHdrs
  /** No answer is asked for. */
  readonly unanswered?: boolean
}

interface Asked {
  readonly deadline: number
  readonly done: (answer: Msg | Error) => void
}

/** How exactly deadlines are kept. */
const SWEEP_MILLIS = 250

/**
 * Questions on one connection, answered on one inbox. Ours, because each of the client's own requests makes a timer,
 * a race of promises and an error with its stack, several times what the message itself costs; a busy scheduler asks
 * thousands a second.
 */
class Questions {
  readonly #nc: NatsConnection
  readonly #inbox: string
  readonly #open = new Map<string, Asked>()
  #count = 0
  #sweeping: NodeJS.Timeout | null = null

  constructor(nc: NatsConnection, inbox: string) {
    this.#nc = nc
    this.#inbox = inbox
    nc.subscribe(`${inbox}.*`, {
      callback: (error, message) => {
        if (error === null) this.#settle(message.subject.slice(inbox.length + 1), message)
      }
    })
    const all = waiting.get(nc) ?? new Set()
    waiting.set(nc, all)
    all.add(() => this.#settleAll(new Error("the connection broke")))
  }

  /** Calls `done` exactly once, perhaps at once. */
  ask(question: Question, timeoutMillis: number, done: Asked["done"]): void {
    if (!isUsable(this.#nc)) return done(new Error("the connection is closed"))
    const token = (this.#count++).toString(36)
    const { headers, payload, subject } = question
    try {
      const reply = `${this.#inbox}.${token}`
      this.#nc.publish(subject, payload, headers === undefined ? { reply } : { reply, headers })
    } catch (cause) {
      return done(cause instanceof Error ? cause : new Error(String(cause)))
    }
    this.#open.set(token, { deadline: performance.now() + timeoutMillis, done })
    this.#sweeping ??= setInterval(() => this.#sweep(), SWEEP_MILLIS)
  }

  /** Best effort. */
  tell({ headers, payload, subject }: Question): void {
    if (!isUsable(this.#nc)) return
    try {
      this.#nc.publish(subject, payload, headers === undefined ? {} : { headers })
    } catch {
      // The client refuses what is too large. Whoever wants to know asks.
    }
  }

  #settle(token: string, answer: Msg | Error): void {
    const asked = this.#open.get(token)
    if (asked === undefined) return
    this.#open.delete(token)
    const nobody = !(answer instanceof Error) && answer.data.length === 0 && answer.headers?.code === 503
    asked.done(nobody ? new Error("nobody is there to answer") : answer)
  }

  #settleAll(error: Error): void {
    for (const token of Array.from(this.#open.keys())) this.#settle(token, error)
  }

  #sweep(): void {
    const now = performance.now()
    for (const [token, { deadline }] of this.#open)
      if (deadline <= now) this.#settle(token, new Error("no answer in time"))
    if (this.#open.size > 0 || this.#sweeping === null) return
    clearInterval(this.#sweeping)
    this.#sweeping = null
  }
}

const questions = new WeakMap<NatsConnection, Questions>()

/** Sends all of them at once; what was answered to those that ask, or why it was not, in the same order. */
export const askAll = (
  nc: NatsConnection,
  newInbox: () => string,
  operation: BusError["operation"],
  asked: ReadonlyArray<Question>,
  timeoutMillis: number
): Effect.Effect<ReadonlyArray<Exit.Exit<Msg, BusError>>> =>
  Effect.callback((resume) => {
    const answers: Array<Exit.Exit<Msg, BusError>> = []
    let missing = asked.filter(({ unanswered }) => unanswered !== true).length
    if (missing === 0) return resume(Effect.succeed(answers))
    let here = questions.get(nc)
    if (here === undefined) {
      // An inbox cannot be opened on a connection that was closed since it was looked at.
      if (!isUsable(nc)) {
        const cause = new Error("the connection is closed")
        return resume(
          Effect.succeed(Array.from({ length: missing }, () => Exit.fail(new BusError({ operation, cause }))))
        )
      }
      here = new Questions(nc, newInbox())
      questions.set(nc, here)
    }
    let next = 0
    for (const question of asked) {
      if (question.unanswered === true) {
        here.tell(question)
        continue
      }
      const position = next++
      here.ask(question, timeoutMillis, (answer) => {
        answers[position] =
          answer instanceof Error ? Exit.fail(new BusError({ operation, cause: answer })) : Exit.succeed(answer)
        if (--missing === 0) resume(Effect.succeed(answers))
      })
    }
  })
