/**
 * How much work a lane (video, or light tasks) of this node carries. Pure. A task takes one slot when it is claimed;
 * a heavy one (4K) asks for more once its plan is read. At most one task waits for more, and while it does nothing new
 * is claimed, so that heavy work is neither starved by light work nor deadlocked with other heavy work.
 */
export interface Slots {
  readonly total: number
  readonly busy: number
  /** Slots that the waiting task still needs; 0 when none waits. */
  readonly wanted: number
}

export const slots = (total: number): Slots => ({ total: Math.max(1, total), busy: 0, wanted: 0 })

export const isFree = (s: Slots): boolean => s.wanted === 0 && s.busy < s.total

/** One slot for a new task; null when there is none. */
export const take = (s: Slots): Slots | null => (isFree(s) ? { ...s, busy: s.busy + 1 } : null)

/** Slots beyond the first that a task of this weight takes: never more than there are. */
export const extraFor = (s: Slots, weight: number): number => Math.max(0, Math.min(weight, s.total) - 1)

/** More slots for a task that has one: it has them at once, waits for them, or is refused because another waits. */
export const grow = (
  s: Slots,
  extra: number
): { readonly answer: "has" | "waits" | "refused"; readonly slots: Slots } => {
  if (extra === 0) return { answer: "has", slots: s }
  if (s.wanted > 0) return { answer: "refused", slots: s }
  return s.busy + extra <= s.total
    ? { answer: "has", slots: { ...s, busy: s.busy + extra } }
    : { answer: "waits", slots: { ...s, wanted: extra } }
}

/** What works now carries another number. What runs goes on. */
export const resize = (s: Slots, total: number): Slots => ({ ...s, total: Math.max(1, total) })

/** Gives the waiting task its slots if they are free by now; all that there are, where they have become fewer than it wants. */
export const grant = (s: Slots): { readonly granted: boolean; readonly slots: Slots } =>
  s.wanted > 0 && (s.busy + s.wanted <= s.total || s.busy <= 1)
    ? { granted: true, slots: { ...s, busy: s.busy + s.wanted, wanted: 0 } }
    : { granted: false, slots: s }

/** The waiting task waits no more (it was stopped). */
export const giveUp = (s: Slots): Slots => ({ ...s, wanted: 0 })

export const release = (s: Slots, held: number): Slots => ({ ...s, busy: Math.max(0, s.busy - held) })
