import { createSignal } from "solid-js"

export interface Question {
  readonly title: string
  readonly text: string
  readonly yes: string
}

/** One question at a time, answered in a dialog. */
export const createConfirm = () => {
  const [question, setQuestion] = createSignal<Question | null>(null)
  let settle: (answer: boolean) => void = () => {}
  return {
    question,
    ask: (asked: Question): Promise<boolean> => {
      settle(false)
      return new Promise((resolve) => {
        settle = resolve
        setQuestion(asked)
      })
    },
    answer: (answer: boolean) => {
      setQuestion(null)
      settle(answer)
    }
  }
}
