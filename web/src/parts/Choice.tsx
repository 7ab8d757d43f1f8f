import { createUniqueId, For } from "solid-js"

interface ChoiceProps<A extends string> {
  readonly legend: string
  readonly name: string
  readonly options: ReadonlyArray<{ readonly value: A; readonly label: string }>
  readonly value: A
  readonly onChange: (value: A) => void
}

/** A few options side by side. Native radios: arrow keys, names and states come with them. */
export const Choice = <A extends string>(props: ChoiceProps<A>) => {
  const legend = createUniqueId()
  return (
    <div class="choice" role="radiogroup" aria-labelledby={legend}>
      <span class="choice-legend" id={legend}>
        {props.legend}
      </span>
      <div class="choice-options">
        <For each={props.options}>
          {(option) => (
            <label>
              <input
                type="radio"
                name={props.name}
                value={option.value}
                checked={props.value === option.value}
                onChange={() => props.onChange(option.value)}
              />
              <span>{option.label}</span>
            </label>
          )}
        </For>
      </div>
    </div>
  )
}
