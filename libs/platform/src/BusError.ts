import { Schema } from "effect"

/** NATS could not be reached, or refused. Whoever meets it tries again: messages are only ever a hint or a repeat. */
export class BusError extends Schema.TaggedError<BusError>()("BusError", {
  operation: Schema.Literals(["connect", "publish", "consume", "ack", "manage", "read"]),
  cause: Schema.Defect()
}) {
  override get message(): string {
    return `${this.operation}: ${this.cause instanceof Error ? this.cause.message : String(this.cause)}`
  }
}
