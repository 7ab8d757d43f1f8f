import { assert } from "@effect/vitest"
import type { ExportStatus, Family, Progress } from "@reelay/contracts/Export"
import { NodeId, TaskKey } from "@reelay/contracts/Ids"
import type { ExportId, UserId } from "@reelay/contracts/Ids"
import type { FailureKind, TaskMessage, TaskResult } from "@reelay/contracts/messages/Messages"
import { taskMessage } from "@reelay/contracts/messages/Messages"
import type { Plan } from "@reelay/contracts/Plan"
import { isLight } from "../src/Capacity.ts"
import { decide } from "../src/Decide.ts"
import type { Command, Event, Found, QueuedTask } from "../src/Events.ts"
import type { Class } from "../src/FairQueue.ts"
import { initial } from "../src/State.ts"
import type { Policy, State, Term } from "../src/State.ts"
import { advertisementOf, BUILD, exportId, manifestOf, planOf, specOf, user } from "./fixtures.ts"
import { audit } from "./audit.ts"

export interface SimRow {
  readonly id: ExportId
  readonly user: UserId
  readonly urgency: Class
  readonly chunks: number
  readonly smartCut: boolean
  readonly content: string
  readonly labels: ReadonlyArray<string>
  readonly changedMillis: number
  status: ExportStatus
  epoch: number
  /** Whether its plan goes with its task. */
  readonly travels: boolean
  plan: Plan | null
  attempts: Array<Extract<Command, { _tag: "RecordAttempt" }>>
  /** Terminal states reached, with their epoch. */
  readonly ends: Array<string>
  writes: number
  /** Cancelled or retried without anyone being told. */
  silent: boolean
}

interface Stored {
  readonly message: TaskMessage
  readonly subject: string
  /** Node that has it unacknowledged; null: waiting. */
  holder: string | null
}

interface Running {
  readonly message: TaskMessage
  /** Null after the stream forgot it. */
  stored: Stored
}

export interface SimNode {
  readonly id: NodeId
  alive: boolean
  readonly slots: number
  readonly families: ReadonlyArray<Family>
  readonly labels: ReadonlyArray<string>
  running: Array<Running>
}

export interface Faults {
  /** A publish is lost once in so many; 0: never. */
  readonly losePublish: number
  /** The answer of a write is lost once in so many. */
  readonly loseAnswer: number
}

export const POLICY: Policy = {
  maxActive: 6,
  maxActivePerUser: 3,
  lookahead: 1,
  taskAttempts: 3,
  nodeTtl: 15_000,
  strandedAfter: 60_000,
  encoderWait: 3_600_000
}

/** Postgres, NATS, the store, encoders, the api and one scheduler at a time: just enough of each to go wrong. */
export class World {
  readonly rows = new Map<ExportId, SimRow>()
  stream: Array<Stored> = []
  results: Array<{ readonly result: TaskResult; taken: boolean }> = []
  readonly manifests = new Map<string, string>()
  /** Of them, those that were given up at some time. */
  readonly evicted = new Set<string>()
  readonly links = new Set<string>()
  readonly nodes: Array<SimNode> = []
  state: State
  mailbox: Array<Event> = []
  /** What goes on beside the mailbox: each step may post an event. */
  asyncs: Array<() => void> = []
  /** To be read; one read is under way at a time. */
  inspecting = new Set<ExportId>()
  reading = false
  /** What is to be done for each export, in order; and tasks that are not published yet. */
  readonly lines = new Map<ExportId, Array<() => void>>()
  readonly unsent = new Map<string, number>()
  now = 1000
  readonly announced = new Map<ExportId, string>()
  readonly percents = new Map<string, number>()
  readonly reports = new Map<ExportId, Progress>()
  readonly dispatchIds = new Set<string>()
  readonly commands: Array<Command> = []
  readonly log: Array<{ readonly event: Event; readonly now: number }> = []
  readonly policy: Policy
  readonly terms: Array<Term> = []
  /** Nothing is counted anew, checked or logged. */
  quick = false
  faults: Faults = { losePublish: 0, loseAnswer: 0 }
  paused = false
  #count = 0
  #chance = 1

  constructor(policy: Partial<Policy> = {}) {
    this.policy = { ...POLICY, ...policy }
    this.state = this.#fresh()
  }

  #fresh(): State {
    const term = { seed: (this.terms.length + 1).toString(16).padStart(8, "0"), wallOffset: 1_700_000_000_000 }
    this.terms.push(term)
    return initial(this.policy, term)
  }

  #loses(oneIn: number): boolean {
    if (oneIn === 0) return false
    this.#chance = (this.#chance * 1_103_515_245 + 12_345) % 2_147_483_648
    return this.#chance % oneIn === 0
  }

  // ---- the api

  submit(options: {
    user: string
    chunks: number
    urgency?: Class
    content?: string
    labels?: ReadonlyArray<string>
    travels?: boolean
    smartCut?: boolean
  }) {
    const id = exportId(++this.#count)
    this.rows.set(id, {
      id,
      user: user(options.user),
      urgency: options.urgency ?? 1,
      chunks: options.chunks,
      content: options.content ?? id,
      labels: options.labels ?? [],
      travels: options.travels ?? false,
      smartCut: options.smartCut ?? false,
      changedMillis: this.#count,
      status: "pending",
      epoch: 0,
      plan: null,
      attempts: [],
      ends: [],
      writes: 1,
      silent: false
    })
    return id
  }

  ring(id: ExportId) {
    this.mailbox.push({ _tag: "Rang", id })
  }

  cancel(row: SimRow) {
    if (row.status !== "pending" && row.status !== "processing") return
    this.#end(row, "cancelled")
  }

  retry(row: SimRow) {
    if (row.status !== "failed" && row.status !== "cancelled") return
    row.status = "pending"
    row.plan = null
    row.writes++
  }

  #end(row: SimRow, status: "completed" | "failed" | "cancelled") {
    const end = `${row.epoch}:${status}`
    row.status = status
    row.writes++
    row.ends.push(end)
  }

  // ---- encoders

  addNode(
    id: string,
    slots: number,
    families: ReadonlyArray<Family> = ["software"],
    labels: ReadonlyArray<string> = []
  ) {
    const node: SimNode = { id: NodeId.make(id), alive: true, slots, families, labels, running: [] }
    this.nodes.push(node)
    return node
  }

  advertise(node: SimNode) {
    if (!node.alive) return
    const { families, labels, slots } = node
    const tasks = node.running.map(({ message }) => ({
      exportId: message.exportId,
      task: message.task,
      epoch: message.epoch,
      pool: message.pool
    }))
    this.mailbox.push({
      _tag: "NodeSeen",
      advertisement: advertisementOf(node.id, { slots, lightSlots: 1, families, labels, tasks })
    })
  }

  #serves(node: SimNode, message: TaskMessage): boolean {
    if (message.excludes.includes(node.id)) return false
    const light = isLight(message.pool)
    const busy = node.running.filter((each) => isLight(each.message.pool) === light).length
    if (busy >= (light ? 1 : node.slots)) return false
    return light || node.families.some((family) => message.pool === `${family}-h264-${BUILD}`)
  }

  /** A node takes the first task it may. */
  pull(node: SimNode, only: (task: TaskMessage) => boolean = () => true): boolean {
    if (!node.alive) return false
    const stored = this.stream.find(
      (each) => each.holder === null && this.#serves(node, each.message) && only(each.message)
    )
    if (stored === undefined) return false
    stored.holder = node.id
    node.running.push({ message: stored.message, stored })
    return true
  }

  #report(node: SimNode, message: TaskMessage, outcome: TaskResult["outcome"]) {
    const { dispatch, epoch, exportId, pool, task } = message
    this.results.push({
      result: { v: 1, exportId, epoch, task, dispatch, nodeId: node.id, pool, outcome },
      taken: false
    })
  }

  #ack(running: Running) {
    this.stream = this.stream.filter((each) => each !== running.stored)
  }

  /** A running task ends well. `silent`: killed between the manifest and the result. */
  finish(node: SimNode, place: number, silent = false) {
    const running = node.running[place % Math.max(1, node.running.length)]
    if (running === undefined || !node.alive) return
    node.running = node.running.filter((each) => each !== running)
    const { message } = running
    const key = `${message.userId}/${message.task}`
    const needs = this.#row(message.exportId).plan?.tasks.find((task) => task.key === message.task)?.needs ?? []
    if (!this.manifests.has(key) && needs.some((need) => !this.manifests.has(`${message.userId}/${need}`))) {
      // What it reads is gone.
      this.#report(node, message, { _tag: "Failed", kind: "storage", message: "gone", log: "", seconds: 1 })
      return this.#ack(running)
    }
    if (!this.manifests.has(key)) this.manifests.set(key, node.id)
    if (silent) {
      running.stored.holder = null
      return
    }
    const winner = NodeId.make(this.manifests.get(key) ?? node.id)
    this.#report(node, message, {
      _tag: "Done",
      manifest: manifestOf(message.userId, message.task, winner),
      reused: winner !== node.id
    })
    this.#ack(running)
  }

  /** Finished work is given up, whoever needs it. */
  evict(n: number) {
    const key = [...this.manifests.keys()][n % Math.max(1, this.manifests.size)]
    if (key === undefined) return
    this.manifests.delete(key)
    this.evicted.add(key)
  }

  breakDown(node: SimNode, place: number, kind: FailureKind) {
    const running = node.running[place % Math.max(1, node.running.length)]
    if (running === undefined || !node.alive) return
    node.running = node.running.filter((each) => each !== running)
    this.#report(node, running.message, { _tag: "Failed", kind, message: kind, log: "", seconds: 1 })
    this.#ack(running)
  }

  /** Its connection stalls past the ack wait: others get its tasks while it goes on. */
  stall(node: SimNode) {
    for (const { stored } of node.running) stored.holder = null
  }

  kill(node: SimNode) {
    node.alive = false
    this.stall(node)
    node.running = []
  }

  #stop(id: ExportId, epoch: number) {
    for (const node of this.nodes) {
      if (!node.alive) continue
      const [stopped, rest] = [[] as Array<Running>, [] as Array<Running>]
      for (const each of node.running) {
        ;(each.message.exportId === id && each.message.epoch <= epoch ? stopped : rest).push(each)
      }
      node.running = rest
      for (const each of stopped) {
        this.#report(node, each.message, { _tag: "Cancelled" })
        this.#ack(each)
      }
    }
  }

  wipe() {
    this.stream = []
    this.results = []
    this.mailbox.push({ _tag: "Reconnected" })
  }

  // ---- the scheduler's surroundings

  restart() {
    this.state = this.#fresh()
    this.mailbox = []
    this.asyncs = []
    this.lines.clear()
    this.unsent.clear()
    this.inspecting.clear()
    this.reading = false
    for (const each of this.results) each.taken = false
    this.mailbox.push({ _tag: "Floors", floors: new Map(this.reports) })
    this.mailbox.push({ _tag: "Paused", paused: this.paused })
    this.survey()
  }

  survey() {
    const asOf = this.state.sequence
    const rows = [...this.rows.values()]
      .filter((row) => row.status === "pending" || row.status === "processing")
      .map(({ epoch, id, status }) => ({ id, status, epoch }))
    this.asyncs.push(() => this.mailbox.push({ _tag: "Surveyed", asOf, rows }))
  }

  /** Tasks first, results later: what moves from the one to the other in between is seen. */
  lookAround() {
    const asOf = this.state.sequence
    const unsent = [...this.unsent.keys()]
    const tasks = new Map<string, QueuedTask>()
    for (const { message, subject } of this.stream) {
      const { exportId, pool, task } = message
      tasks.set(`${exportId}.${task}`, { id: exportId, task, pool, subject })
    }
    this.asyncs.push(() => {
      const results = new Set([...unsent, ...this.results.map(({ result }) => `${result.exportId}.${result.task}`)])
      this.mailbox.push({ _tag: "Outstanding", asOf, tasks, results })
    })
  }

  takeResult(place: number) {
    const free = this.results.filter((each) => !each.taken)
    const each = free[place % Math.max(1, free.length)]
    if (each === undefined) return
    each.taken = true
    this.mailbox.push({ _tag: "Result", result: each.result })
  }

  repeatResult(place: number) {
    const each = this.results[place % Math.max(1, this.results.length)]
    if (each !== undefined) this.mailbox.push({ _tag: "Result", result: each.result })
  }

  tick(millis: number) {
    this.now += millis
    for (const node of this.nodes) this.advertise(node)
    this.mailbox.push({ _tag: "Tick" })
  }

  async(place: number) {
    const [step] = this.asyncs.splice(place % Math.max(1, this.asyncs.length), 1)
    step?.()
  }

  /** Decides `count` events; what follows is done in the exports' lines, and only then a result is acknowledged. */
  turn(count: number) {
    const events = this.mailbox.splice(0, count)
    for (const event of events) {
      if (!this.quick) this.log.push({ event, now: this.now })
      const [state, commands] = decide(this.state, event, this.now)
      this.state = state
      if (!this.quick) this.#check(commands)
      for (const command of commands) this.#carryOut(command)
      if (event._tag === "Result") {
        this.#inLine(event.result.exportId, () => {
          this.results = this.results.filter((each) => each.result !== event.result || !each.taken)
        })
      }
    }
    if (events.length > 0 && !this.quick) audit(this.state)
  }

  #inLine(id: ExportId, work: () => void) {
    const line = this.lines.get(id)
    if (line !== undefined) {
      line.push(work)
      return
    }
    const fresh = [work]
    this.lines.set(id, fresh)
    const serve = () => {
      fresh.shift()?.()
      if (fresh.length > 0) this.asyncs.push(serve)
      else this.lines.delete(id)
    }
    this.asyncs.push(serve)
  }

  /** In line, or beside it, as the executor does it. */
  #carryOut(command: Command) {
    switch (command._tag) {
      case "Start":
      case "Complete":
      case "Fail":
      case "RecordAttempt":
      case "Purge":
      case "Stop":
      case "Announce":
      case "Unlink":
        return this.#inLine(command.id, () => this.#do(command))
      case "Dispatch": {
        const key = `${command.message.exportId}.${command.message.task}`
        this.unsent.set(key, (this.unsent.get(key) ?? 0) + 1)
        return this.#inLine(command.message.exportId, () => {
          const left = (this.unsent.get(key) ?? 1) - 1
          if (left === 0) this.unsent.delete(key)
          else this.unsent.set(key, left)
          this.#do(command)
        })
      }
      default:
        return this.#do(command)
    }
  }

  #check(commands: ReadonlyArray<Command>) {
    for (const command of commands) {
      this.commands.push(command)
      if (command._tag === "Dispatch") {
        const { dispatch, pool } = command.message
        assert.isFalse(this.dispatchIds.has(dispatch), "a fresh dispatch id")
        this.dispatchIds.add(dispatch)
        // Slots and one more of each node that serves the pool; and of all nodes together, which share them.
        const light = isLight(pool)
        const nodes = [...this.state.nodes.values()].map((node) => node.advertisement)
        const room = (all: typeof nodes) =>
          all.reduce((sum, node) => sum + 1 + (light ? node.lightSlots.total : node.slots.total), 0)
        const out = [...this.state.outstanding.values()]
        const inPool = out.filter((entry) => entry.task.pool === pool).length
        assert.isAtMost(inPool, room(nodes.filter((node) => node.pools.includes(pool))), "room of a pool")
        const served = new Set<string>(nodes.flatMap((node) => node.pools))
        const alike = out.filter((entry) => isLight(entry.task.pool) === light && served.has(entry.task.pool))
        assert.isAtMost(alike.length, room(nodes), "room of all")
        assert.isFalse(this.state.paused, "nothing goes out while paused, or while that is not known")
      } else if (command._tag === "Plan" && this.state.jobs.get(command.id)?.status === "pending") {
        assert.isAtMost(this.state.active, this.policy.maxActive, "global cap")
        const own = [...this.state.jobs.values()].filter((job) => job.counted && job.user === command.user).length
        assert.isAtMost(own, this.policy.maxActivePerUser, "cap of a user")
      } else if (command._tag === "Announce" && command.status === "pending") {
        // A retry waits anew, in the epoch that ended.
        this.percents.delete(`${command.id}:${command.epoch}`)
      } else if (command._tag === "Report") {
        const { epoch, percent } = command.progress
        const key = `${command.id}:${epoch}`
        assert.isAtLeast(percent, this.percents.get(key) ?? 0, "progress never falls")
        this.percents.set(key, percent)
        this.reports.set(command.id, command.progress)
      }
    }
  }

  #found(plan: Plan, owner: UserId): Found {
    const done = new Set<TaskKey>(plan.tasks.map((task) => task.key))
    const visit = (key: TaskKey) => {
      if (this.manifests.has(`${owner}/${key}`) || !done.delete(key)) return
      for (const need of plan.tasks.find((task) => task.key === key)?.needs ?? []) visit(need)
    }
    visit(plan.final)
    const made = this.manifests.get(`${owner}/${plan.final}`)
    return { done, final: made === undefined ? null : manifestOf(owner, plan.final, NodeId.make(made)) }
  }

  #row(id: ExportId): SimRow {
    const row = this.rows.get(id)
    if (row === undefined) throw new Error(`no row ${id}`)
    return row
  }

  #post(event: Event) {
    this.asyncs.push(() => this.mailbox.push(event))
  }

  #do(command: Command) {
    switch (command._tag) {
      case "Inspect":
        this.inspecting.add(command.id)
        if (!this.reading) this.asyncs.push(() => this.#inspect())
        this.reading = true
        return
      case "Plan": {
        const row = this.#row(command.id)
        const { build, family, id, noSmartCut, token } = command
        const spec = specOf({ user: row.user, content: row.content, chunks: row.chunks })
        const smartCut = row.smartCut && !noSmartCut
        const plan = planOf({ id, spec, chunks: row.chunks, family, build, smartCut })
        this.asyncs.push(() =>
          this.mailbox.push({
            _tag: "Planned",
            id,
            token,
            plan,
            text: `plan of ${id}`,
            stored: `plan of ${id}`,
            travels: row.travels,
            found: this.#found(plan, row.user)
          })
        )
        return
      }
      case "Load": {
        const { id, token } = command
        this.asyncs.push(() => {
          const row = this.#row(id)
          if (row.plan === null) this.mailbox.push({ _tag: "LoadFailed", id, token, unreadable: false })
          else {
            this.mailbox.push({
              _tag: "Loaded",
              id,
              token,
              plan: row.plan,
              text: `plan of ${id}`,
              stored: `plan of ${id}`,
              travels: row.travels,
              found: this.#found(row.plan, row.user),
              runningSeconds: 5,
              attempts: row.attempts.map(({ attempt, epoch, error, family, kind, nodeId, task }) => ({
                id: attempt,
                epoch,
                task: TaskKey.make(task),
                kind,
                nodeId,
                family,
                error
              }))
            })
          }
        })
        return
      }
      case "Start": {
        const row = this.#row(command.id)
        const won = row.status === command.from && row.epoch === command.epoch
        if (won) {
          row.status = "processing"
          row.epoch++
          row.plan = command.plan
          row.writes++
        }
        const told = won && !this.#loses(this.faults.loseAnswer)
        return this.#post({ _tag: "Started", id: command.id, token: command.token, won: told })
      }
      case "Complete":
      case "Fail": {
        const row = this.#row(command.id)
        const status = command._tag === "Fail" ? "failed" : "completed"
        const from = command._tag === "Fail" ? command.from : "processing"
        const won = row.status === from && row.epoch === command.epoch
        if (won) {
          if (status === "completed") {
            assert.isTrue(this.links.has(`${row.id}/${row.epoch}`), "outputs are there before the row says so")
            const final = `${row.user}/${row.plan?.final}`
            assert.isTrue(this.manifests.has(final) || this.evicted.has(final), "the last task is done")
          }
          this.#end(row, status)
        }
        const told = won && !this.#loses(this.faults.loseAnswer)
        return this.#post({ _tag: "Ended", id: command.id, token: command.token, won: told, status })
      }
      case "RecordAttempt":
        this.#row(command.id).attempts.push(command)
        return
      case "Dispatch": {
        if (this.#loses(this.faults.losePublish)) return
        this.stream.push({ message: command.message, subject: taskMessage.subject(command.message), holder: null })
        return
      }
      case "Look": {
        const { epoch, id, task, user } = command
        this.asyncs.push(() => {
          const made = this.manifests.get(`${user}/${task}`)
          const manifest = made === undefined ? null : manifestOf(user, task, NodeId.make(made))
          this.mailbox.push({ _tag: "Looked", id, epoch, task, manifest, failed: this.#loses(this.faults.loseAnswer) })
        })
        return
      }
      case "Link": {
        const { epoch, id, manifest, token, user } = command
        this.asyncs.push(() => {
          if (!this.manifests.has(`${user}/${manifest.key}`)) {
            return this.#post({ _tag: "LinkFailed", id, token, epoch, user, vanished: true })
          }
          for (let old = 1; old < epoch; old++) this.links.delete(`${id}/${old}`)
          this.links.add(`${id}/${epoch}`)
          this.#post({ _tag: "Linked", id, token, epoch, user, outputs: [] })
        })
        return
      }
      case "Unlink":
        this.links.delete(`${command.id}/${command.epoch}`)
        return
      case "Purge":
        this.stream = this.stream.filter(
          ({ message, subject }) =>
            subject !== command.subject && !(command.subject.includes("*") && message.exportId === command.id)
        )
        return
      case "Stop":
        return this.#stop(command.id, command.epoch)
      case "Announce":
        this.announced.set(command.id, `${command.epoch}:${command.status}`)
        return
      case "LookAround":
        return this.lookAround()
      case "Report":
      case "SayOrder":
      case "EnsureConsumer":
        return
    }
  }

  #inspect() {
    const asOf = this.state.sequence
    const ids = [...this.inspecting]
    this.inspecting.clear()
    const rows = ids.map((id) => {
      const { attempts, changedMillis, chunks, epoch, labels, status, urgency, user } = this.#row(id)
      const noSmartCut = attempts.some(({ kind }) => kind === "smartcut")
      const frames = chunks * 30
      return { id, user, status, epoch, urgency, codec: "h264" as const, labels, frames, changedMillis, noSmartCut }
    })
    this.asyncs.push(() => {
      this.mailbox.push({ _tag: "Rows", asOf, rows, missing: [] })
      this.reading = this.inspecting.size > 0
      if (this.reading) this.asyncs.push(() => this.#inspect())
    })
  }

  /** The scheduler alone does what there is to be done. */
  drain() {
    for (let i = 0; i < 1000; i++) {
      if (this.mailbox.length === 0 && this.asyncs.length === 0 && this.results.every((each) => each.taken)) return
      while (this.asyncs.length > 0) this.async(0)
      while (this.results.some((each) => !each.taken)) this.takeResult(0)
      this.turn(this.mailbox.length)
    }
  }

  /** A while in which nothing goes wrong: whatever waits is taken in, and every second running task ends. */
  calm(n: number) {
    for (let i = 0; i < 3; i++) {
      while (this.asyncs.length > 0 && this.asyncs.length > n % 3) this.async(n)
      while (this.results.some((each) => !each.taken)) this.takeResult(n)
      this.turn(this.mailbox.length)
      for (const node of this.nodes) {
        while (this.pull(node)) {
          /* as many as it can */
        }
        if (node.running.length > 0 && (i + n) % 2 === 0) this.finish(node, n)
      }
    }
  }

  /** The scheduler alone gets in order with the streams; then nothing is queued that nobody wants. */
  tidy() {
    for (let round = 0; round < 12; round++) {
      this.tick(1100)
      this.survey()
      this.lookAround()
      this.drain()
    }
    for (const { message } of this.stream) {
      const row = this.#row(message.exportId)
      assert.strictEqual(row.status, "processing", "a queued task of an export that is not processing")
      assert.isTrue(row.plan?.tasks.some(({ key, pool }) => key === message.task && pool === message.pool))
    }
    for (const node of this.nodes) {
      for (const { message } of node.running) {
        const row = this.#row(message.exportId)
        assert.isTrue(row.status === "processing" || row.status === "completed", "a running task of an ended export")
        assert.strictEqual(row.epoch, message.epoch, "a running task of an older epoch")
      }
    }
  }

  /** All is well from now on, and everyone does their work, until nothing is left to do. */
  settle(rounds = 400) {
    this.faults = { losePublish: 0, loseAnswer: 0 }
    for (let round = 0; round < rounds; round++) {
      this.tick(round % 4 === 0 ? 1100 : 300)
      if (round % 3 === 0) this.survey()
      if (round % 3 === 1) this.lookAround()
      for (let i = 0; i < 50 && this.#busy(); i++) {
        while (this.asyncs.length > 0) this.async(0)
        while (this.results.some((each) => !each.taken)) this.takeResult(0)
        this.turn(this.mailbox.length)
        for (const node of this.nodes) {
          while (this.pull(node)) {
            /* as many as it can */
          }
          while (node.alive && node.running.length > 0) this.finish(node, 0)
        }
      }
      if (round > 20 && this.#isOver()) return
    }
    const left = [...this.rows.values()].filter((row) => row.status === "pending" || row.status === "processing")
    const phases = [...this.state.jobs.values()].map((job) => `${job.id} ${job.status}@${job.epoch} ${job.phase}`)
    assert.fail(`${left.length} exports never ended: ${phases.join(", ")}; in the stream: ${this.stream.length}`)
  }

  #busy(): boolean {
    return (
      this.mailbox.length > 0
      || this.asyncs.length > 0
      || this.results.some((each) => !each.taken)
      || this.nodes.some((node) => node.alive && node.running.length > 0)
      || this.stream.some((each) => each.holder === null)
    )
  }

  #isOver(): boolean {
    return this.state.jobs.size === 0 && this.state.settling.size === 0 && this.stream.length === 0
  }

  /** What must be true when all is over. */
  judge(options: { readonly failures: boolean; readonly restarts: boolean }) {
    for (const row of this.rows.values()) {
      assert.include(["completed", "failed", "cancelled"], row.status, row.id)
      if (!options.failures) assert.notStrictEqual(row.status, "failed", row.id)
      // A cancel takes the epoch it finds, and a retry may be cancelled before it moves on: all else ends once.
      const ends = row.ends.filter((end) => !end.endsWith("cancelled"))
      const epochs = ends.filter((end) => !end.endsWith("failed")).map((end) => end.split(":")[0])
      assert.strictEqual(new Set(epochs).size, epochs.length, `ends of ${row.id}: ${row.ends.join()}`)
      const announced = this.announced.get(row.id)
      // One that came and was cancelled without a word that arrived: nobody was told, as nobody knew.
      const unknown = announced === undefined && row.silent && row.status === "cancelled"
      if (!options.restarts && !unknown) assert.strictEqual(announced, `${row.epoch}:${row.status}`, row.id)
      if (row.status === "completed") assert.isTrue(this.links.has(`${row.id}/${row.epoch}`), `links of ${row.id}`)
    }
    for (const link of this.links) {
      const [id, epoch] = link.split("/")
      const row = [...this.rows.values()].find((each) => each.id === id)
      // Who dies between linking and writing leaves links that the next epoch, or the export's deletion, removes.
      if (options.restarts && row?.status !== "completed") continue
      assert.strictEqual(`${row?.epoch}:${row?.status}`, `${epoch}:completed`, `links of ${link}`)
    }
    assert.strictEqual(this.stream.length, 0, "tasks left in the stream")
    audit(this.state)
  }
}
