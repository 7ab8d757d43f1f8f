import { createEffect } from "solid-js"
import { useStudio } from "../live/Studio.ts"

/** The browser's own modal: it keeps the focus, gives it back, and closes on Escape. */
export const ConfirmDialog = () => {
  const { confirm } = useStudio()
  let dialog: HTMLDialogElement | undefined
  createEffect(() => {
    if (confirm.question() !== null) dialog?.showModal()
    else dialog?.close()
  })
  return (
    <dialog
      ref={(element) => (dialog = element)}
      class="confirm"
      aria-labelledby="confirm-title"
      aria-describedby="confirm-text"
      onClose={() => {
        if (confirm.question() !== null) confirm.answer(false)
      }}
      onClick={(event) => {
        // Only the backdrop belongs to the dialog itself.
        if (event.target === event.currentTarget) confirm.answer(false)
      }}
    >
      <div class="confirm-box">
        <h2 id="confirm-title">{confirm.question()?.title}</h2>
        <p id="confirm-text">{confirm.question()?.text}</p>
        <div class="confirm-answers">
          <button type="button" onClick={() => confirm.answer(false)}>
            Keep
          </button>
          <button type="button" class="danger" onClick={() => confirm.answer(true)}>
            {confirm.question()?.yes}
          </button>
        </div>
      </div>
    </dialog>
  )
}
