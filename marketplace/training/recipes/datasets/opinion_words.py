"""The words and patterns that `opinions.py` makes sentences of, written by hand."""

from __future__ import annotations

# Words that "not" turns into their opposite; a phrase has its spaces as _.
PLAIN = {
    "+": (
        "good nice clean fresh tasty friendly helpful comfortable quick fast easy useful reliable interesting "
        "clear bright warm quiet cosy cheap affordable polite sharp smooth sturdy practical honest fair smart "
        "funny charming elegant safe simple accurate professional welcoming attentive modern spacious healthy "
        "exciting enjoyable pleasant satisfying convincing memorable generous well_made well_organised "
        "worth_it worth_the_money worth_the_wait easy_to_use a_pleasure good_value "
        "what_I_hoped_for fun kind lovely crisp durable efficient great perfect impressive "
        "recommendable intuitive responsive tender juicy delicious entertaining beautiful happy satisfied "
        "pleased"
    ),
    "-": (
        "bad dirty stale bland rude unhelpful uncomfortable slow difficult useless unreliable boring "
        "confusing dark cold loud noisy expensive overpriced impolite blurry clumsy flimsy impractical "
        "dishonest unfair stupid dull ugly dangerous complicated wrong unprofessional unfriendly careless "
        "outdated cramped unhealthy tedious unpleasant disappointing forgettable stingy badly_made "
        "badly_organised a_problem hard_to_use a_waste_of_money a_waste_of_time too_small too_expensive "
        "too_long too_loud too_slow messy cheaply_made broken defective faulty buggy greasy dry burnt salty "
        "predictable sad angry disappointed unhappy annoying frustrating late poor weak unclear crowded "
        "damaged"
    ),
}  # fmt: skip
STRONG = {
    "+": (
        "excellent amazing fantastic wonderful brilliant superb outstanding awesome incredible marvellous "
        "gorgeous stunning magnificent flawless terrific fabulous exceptional delightful phenomenal splendid "
        "first_class top_notch simply_the_best out_of_this_world beyond_my_expectations better_than_expected "
        "better_than_I_thought spot_on second_to_none a_masterpiece a_dream a_joy thrilled delighted "
        "breathtaking unforgettable spectacular sublime"
    ),
    "-": (
        "terrible awful horrible dreadful disgusting appalling atrocious pathetic abysmal miserable "
        "unacceptable inedible unbearable unusable ridiculous shocking worthless hopeless lousy a_disaster "
        "a_nightmare a_disgrace a_joke a_scam an_insult a_disappointment rubbish garbage trash "
        "below_my_expectations worse_than_expected worse_than_I_thought falling_apart the_worst furious "
        "horrendous revolting laughable ghastly insufferable infuriating"
    ),
}  # fmt: skip
VERBS = {  # after "I"; and, behind the stroke, after "I did not"
    "+": (
        "love/love loved/love like/like liked/like enjoy/enjoy enjoyed/enjoy recommend/recommend adore/adore "
        "admire/admire appreciate/appreciate trust/trust really_like/really_like highly_recommend/recommend "
        "am_happy_with/care_for fell_in_love_with/warm_to had_a_great_time_with/get_on_with "
        "can_recommend/recommend was_impressed_by/feel_at_home_with"
    ),
    "-": (
        "hate/hate hated/hate dislike/dislike disliked/dislike regret/regret regretted/regret "
        "returned/have_to_return despise/mind detest/mind sent_back/send_back regret_buying/regret_buying "
        "am_disappointed_by/have_trouble_with was_disappointed_by/have_any_problems_with "
        "am_sick_of/have_to_complain_about gave_up_on/give_up_on cannot_stand/mind "
        "complained_about/have_to_complain_about wasted_my_money_on/waste_my_money_on"
    ),
}  # fmt: skip
MIDDLE = (
    "okay average ordinary acceptable medium standard typical usual normal mediocre so-so passable "
    "nothing_special neither_good_nor_bad as_expected alright fine_I_guess what_you_would_expect "
    "like_any_other middle_of_the_road average_at_best about_what_I_expected adequate neutral unremarkable"
)  # fmt: skip
THINGS = (
    "film movie book novel story plot ending music concert play show series game app update website software "
    "phone screen battery camera keyboard laptop computer charger headphones speaker sound hotel room bed "
    "breakfast staff service food restaurant meal soup pizza coffee tea cake dinner waiter menu price "
    "delivery package product quality support course teacher lesson lecture museum park beach flight train "
    "bus seat trip tour guide shop store shoes jacket dress shirt bag car bike chair table lamp toy gift "
    "place experience design colour picture video acting doctor hospital team company order purchase item "
    "customer_service battery_life sound_quality user_interface picture_quality"
)  # fmt: skip
VERY = "very really so extremely absolutely quite pretty truly incredibly totally just simply surprisingly rather"
BEFORE = (
    "to be honest,|overall,|in my opinion,|I think|honestly,|all in all,|I must say|after a week,|for me|we found that|"
    "as for me,|at first sight,|I have to admit|in short,|my family says"
)
AFTER = (
    "I bought it last week.|We went there on Sunday.|It was my second visit.|I ordered it online.|We were four people.|"
    "It arrived on Monday.|My sister gave it to me.|I have had it for a month.|We stayed for two nights."
)

# {a}: an opinion; {n}: one that "not" turns; {b}: an opposite one; {v}, {u}: a verb and what follows "did not".
KEPT = (
    "the {t} {is} {a}|the {t} {is} {very} {a}|this {t} {is} {very} {a}|this {t} {is} {a}, I {v} it|I {v} this {t}|"
    "I {v} the {t}|we {v} the {t}|I {v} it|I {v} it, the {t} {is} {a}|{a} {t}|{very} {a} {t}|what a {a} {t}|it {is} {a}|it {is} {very} {a}|"
    "the {t} {is} {a} and the {s} {is} {a}|I found the {t} {very} {a}|I find it {a}|both the {t} and the {s} were {a}|"
    "everything was {a}|the {t} could not have been more {n}|never had such a {a} {t}|the {t} is {a} in every way|"
    "the {t} {is} {b} but {a}|the {t} {is} {b}, but the {s} {is} {a}|although the {t} {is} {b}, the {s} {is} {a}|"
    "the {t} looked {b}, yet it {is} {very} {a}|{b} but {a}|I expected a {b} {t}, but it {is} {a}|{very} {a}|"
    "not only {a} but also {a}|the {t} makes me {a}|the {s} of this {t} {is} {a}|their {t} {is} always {a}|we are {very} {a}|"
    "I am {very} {a} with the {t}|the {t} was as {a} as ever|{a}, {a} and {a}|the {t} seems {a}|the {t} tastes {a}|it feels {a}"
)
TURNED = (
    "the {t} {is} not {n}|the {t} {is} not {very} {n}|this {t} {isnt} {n}|it {is} not {n}|it {isnt} {n}|not {n}|not {n} at all|"
    "not a {n} {t}|the {t} {is} never {n}|the {t} {is} not {n} at all|the {t} {is} far from {n}|I did not {u} the {t}|"
    "I didn't {u} it|I do not {u} this {t}|we did not {u} the {t}|I don't {u} it|the {t} {is} anything but {n}|"
    "nothing about the {t} {is} {n}|I would not call the {t} {n}|nobody could call this {t} {n}|the {t} {isnt} {n} and the {s} {isnt} {n}|"
    "there is nothing {n} about the {t}|the {t} {is} hardly {n}|I cannot say that the {t} {is} {n}|the {t} {is} no longer {n}|"
    "I don't think the {t} {is} {n}|the {s} {is} not {n} and I did not {u} it|the {t} {is} {a} but the {s} {is} not {n}"
)
GIVEN = {  # whole sentences of one tone
    "+": (
        "I would buy this {t} again|I would recommend this {t} to anyone|highly recommended|the best {t} I have ever had|"
        "the best {t} in town|it could not be better|I had no problems with the {t}|no complaints about the {t}|five stars for the {t}|"
        "the {t} works perfectly|the {t} works like a charm|we will come back|I am glad I bought this {t}|I cannot live without this {t}|"
        "the {t} exceeded my expectations|money well spent on the {t}|thank you for the {t}|well done|"
        "I can't wait to use the {t} again|I can only recommend the {t}|my new favourite {t}|the {t} made my day|"
        "could not be happier with the {t}|one of the best I have seen this year|one of the best {t}s I know|this is the best {t} ever|the {t} is worth every penny|you will not regret this {t}|the {t} has improved a lot"
    ),
    "-": (
        "I would never buy this {t} again|I would not recommend this {t}|I want my money back|the worst {t} I have ever had|"
        "the worst {t} in town|it could be better|I had many problems with the {t}|one star for the {t}|avoid this {t}|one of the worst I have seen this year|one of the worst {t}s I know|this is the worst {t} ever|"
        "the {t} stopped working after a week|the {t} does not work|the {t} broke after two days|never again|stay away from the {t}|"
        "we will not come back|I wish I had not bought this {t}|the {t} did not meet my expectations|don't waste your money on this {t}|"
        "I am still waiting for the {t}|the {t} never arrived|nobody answered my questions about the {t}|the {t} keeps crashing|"
        "I had to return the {t}|the {t} let me down|the {t} fell apart|the {t} ruined my day|the {t} made me sick|"
        "they charged me twice for the {t}|the {t} is not worth the money|I had higher hopes for the {t}|the {t} got worse"
    ),
    "0": (
        "the {t} {is} {m}|the {t} {is} {very} {m}|this {t} {is} {m}|it {is} {m}|I found the {t} {m}|the {t} {is} {m} and the {s} {is} {m}|"
        "I bought the {t} last week|the {t} arrived on {d}|we ordered the {t} on {d}|I have a {t}|this is a {t}|the {t} costs {k} dollars|"
        "the {t} has {k} parts|there are {k} of them|does the {t} come with a {s}|where can I find the {t}|how long does the {t} take|"
        "when does the {t} open|the {t} opens at {k} o'clock|the {t} is on the table|we went to see the {t} on {d}|I am going to the {s}|"
        "the {t} is next to the {s}|the {t} was made in {k}|my sister has the same {t}|I use the {t} for the {s}|it took {k} minutes|"
        "the {t} is about a family and their {s}|he told me about the {t}|the {t} and the {s} are in the same building|"
        "there is also a {t}|they sell the {t} and the {s}|the {t} comes in {k} colours|I will see the {t} on {d}|the {s} belongs to the {t}|"
        "the meeting about the {t} is on {d}|I have not tried the {t} yet|the {t} weighs {k} grams|is the {t} {a}|"
        "the {t} is {a} in some ways and {b} in others|please send me the {t}|the {t} has {k} floors|the {t} has a {s}|it has {k} of them|the {t} today|the {t} and the {s}|a {t}|the {t} was open on {d}|can I change the {t}"
    ),
}  # fmt: skip
