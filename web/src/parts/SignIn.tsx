import { createSignal, onMount, Show } from "solid-js"
import { useStudio } from "../live/Studio.ts"

/** For installations that want a token and have no page of their own that hands one out. */
export const SignIn = () => {
  const { session } = useStudio()
  const [token, setToken] = createSignal("")
  let field: HTMLInputElement | undefined
  onMount(() => field?.focus())
  return (
    <section class="signin" aria-labelledby="signin-title">
      <form
        onSubmit={(event) => {
          event.preventDefault()
          if (token().trim() !== "") session.signIn(token())
        }}
      >
        <h2 id="signin-title">Sign in</h2>
        <Show
          when={session.attempts() > 0}
          fallback={<p class="meta">This Reelay wants to know who you are. Paste your access token.</p>}
        >
          <p class="wrong" role="alert">
            This token is not valid, or no longer. Paste a fresh one.
          </p>
        </Show>
        <label for="token">Access token</label>
        <input
          id="token"
          ref={(element) => (field = element)}
          type="password"
          autocomplete="off"
          spellcheck={false}
          value={token()}
          onInput={(event) => setToken(event.currentTarget.value)}
        />
        <button type="submit" class="primary" disabled={token().trim() === ""}>
          Sign in
        </button>
        <p class="meta">It is kept in this tab only and forgotten when you close it.</p>
      </form>
    </section>
  )
}
