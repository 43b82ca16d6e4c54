/** Texts of many lengths, scripts and registers, all within one window of any encoder. */
export const goldenTexts: readonly string[] = [
  'Stars are born where gas and dust collapse under their own weight.',
  'Buy two and get one free, only today! Click here, hurry, limited offer, best price, free shipping.',
  'def mean(values):\n    return sum(values) / len(values)\n',
  'The court held that the contract was void, since neither party had read it; the appeal was dismissed with costs.',
  'Add the flour little by little, stir until the dough is smooth, and let it rest for an hour in a warm place.',
  'Patients who received the vaccine had fewer symptoms (12% against 31%, p < 0.01) than those who received the placebo.',
  'Die Straße war leer, und über den Dächern lag noch der Nebel des frühen Morgens.',
  '東京は日本の首都であり、世界で最も人口の多い都市のひとつである。',
  '1 2 3 5 8 13 21 34 55 89 144 233 377 610 987 1597 2584 4181',
  'goal goal goal goal goal goal goal goal goal goal goal goal',
  'Yes.',
  '',
]
