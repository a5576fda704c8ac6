"""What is said in generated dialogues: answers, each with the ways to ask for it (dialogues.py)."""

from __future__ import annotations

# Answer: ways to ask. After > what somebody wants to do, after = what they ask about: both are asked in many ways.
SAID: dict[str, str] = {
    # Mercato
    "Mercato is a marketplace for AI models: find one, try it, and call it with a key.":
        "=Mercato|=this site|=this marketplace|=this place|what can I do here?|what is it good for?|where am I?",
    "I am the guide, a small demonstration model that was trained on this machine.":
        "who are you?|what are you?|are you a human?|are you a robot?|are you an AI?|what is your name?|tell me about yourself|"
        "who am I talking to?|introduce yourself|what model are you?|do you have a name?|who trained you?|who made you?",
    "Ask me about Mercato, sums, units, capitals, opposites or days, or tell me your name.":
        "what can you do?|what do you know?|how can you help me?|what can I ask you?|what are you able to do?|help|can you help me?|"
        "I need help|which questions can you answer?|what are your skills?|what should I ask?|help me|what do you know about?",
    "Make a key on the page Keys. It is shown once, so keep it safe.":
        ">get a key|>get an API key|>make a key|>create an API key|>find my key|=keys|=API keys|I need a key|give me a key",
    "Revoke the key on the page Keys at once, and make a new one.":
        ">revoke a key|>delete a key|>disable a key|>replace a stolen key|>get rid of a key|I lost my key|my key was stolen|"
        "somebody stole my key|my key leaked|I published my key by mistake|my key is on the internet",
    "You pay for what you use: each model shows its price before you call it.":
        "=prices|=the price|=pricing|=the cost|>see what a model costs|what does it cost?|how much does it cost?|how much is it?|"
        "is it expensive?|what do you charge?|what does a call cost?|how is usage billed?",
    "A new account has a trial credit and needs no card.":
        "=the trial|=trial credit|=the free plan|>try it for free|>start without a card|>test it without paying|is it free?|"
        "do I need a credit card?|is there a free trial?|do new users get credit?",
    "Buy credit or choose a plan on the page Billing.":
        ">buy credit|>add money|>add credit|>pay by card|>top up|>choose a plan|>change my plan|=plans|=payment|=billing",
    "Set a budget, or give each key a limit of its own.":
        ">limit my spending|>set a budget|>cap my costs|>give a key a limit|>set a limit|>avoid high costs|=budgets|=spending limits|"
        "I do not want to spend too much",
    "The page Usage shows every call with its cost.":
        ">see my usage|>see my costs|>find my calls|>download my usage|>export my usage|>see what I spent|=my usage|=the usage page|"
        "how much have I spent?|show me my usage",
    "Open the catalog: search by words, or narrow it by task, price and language.":
        ">find a model|>search for models|>choose a model|>browse models|>see the models|=the catalog|which models are there?|"
        "where are the models?|I am looking for a model|show me the models",
    "Each model has a page with a panel to try it and code to copy.":
        ">try a model|>test a model in the browser|>use a model without code|>play with a model|=the playground|=the demo of a model|"
        "is there a playground?|is there a demo?",
    "Use the OpenAI SDK with your key, and this site's address and /v1 as its base URL.":
        ">use the OpenAI SDK|>use the OpenAI library|>call a model from Python|>connect my OpenAI client|>run my OpenAI code|"
        "=the OpenAI SDK|=the base URL|which base URL do I use?|is it compatible with OpenAI?|does it work with OpenAI?",
    "Yes, the Anthropic SDK works here too, at /v1/messages.":
        ">use the Anthropic SDK|>use the Anthropic library|>connect my Anthropic client|=the Anthropic SDK|=Anthropic|"
        "does it work with Anthropic?|is it compatible with Anthropic?|does it work with Claude code?",
    "Send stream: true, and the answer comes word by word.":
        ">stream an answer|>turn on streaming|>get the text as it comes|>get partial answers|=streaming|=streams|can answers stream?|"
        "do you support streaming?|is there streaming?",
    "Send the header Prefer: respond-async, and ask for the answer later.":
        ">get the answer later|>run it in the background|>avoid waiting|>ask asynchronously|=asynchronous calls|=the async mode|"
        "is there an async mode?|my request takes too long",
    "A batch is a file of many requests, done later at half the price.":
        ">send many requests at once|>upload many requests|>save money on many calls|>make a batch|=a batch|=batches|=the batch API|"
        "are batches cheaper?|is there a batch API?",
    "A webhook is an address of yours that we call when something happened.":
        ">get notified|>set up a webhook|>let you call my server|=a webhook|=webhooks|are webhooks signed?|do you have webhooks?|"
        "can you notify my server?",
    "429 means too many calls: wait as long as Retry-After says.":
        "=error 429|=429|=a rate limit|=too many requests|>handle rate limits|>avoid error 429|why do I get 429?|I get 429|"
        "am I calling too often?|my calls are refused with 429",
    "402 means that your credit or budget is used up.":
        "=error 402|=402|=payment required|>avoid error 402|why do I get 402?|I get 402|my credit is empty|I have no credit left|"
        "my calls are refused with 402|my budget is used up",
    "401 means that the key is missing or wrong: send Authorization: Bearer and your key.":
        "=error 401|=401|=the header of the key|>send my key|>avoid error 401|why do I get 401?|I get 401|my key does not work|"
        "where do I put the key?|I am not authorized",
    "Upload a table on the page Training, then choose a target and a recipe.":
        ">train a model|>train my own model|>train on my data|>upload my data|>upload a table|>use my own data|=training|=my own model|"
        "I have a table of data",
    "Training is billed by the second, and the price is quoted before.":
        "=the price of training|=the cost of training|what does training cost?|how much is training?|is training expensive?|"
        "how is training billed?|>see what training costs|do I pay to train?|what do I pay for training?",
    "Publish your model with a price: what others pay, less a fee, is yours.":
        ">sell my model|>publish a model|>earn money here|>offer my model|>become a publisher|=publishing|=publishers|=selling models|"
        "can others pay for my model?",
    "Earnings are paid out through Stripe after some days.":
        ">get paid|>receive my earnings|>withdraw my money|>get my payout|=payouts|=earnings|=my payout|when am I paid?|"
        "when do I get my money?",
    "A workspace owns keys, models and the bill, and you can invite members.":
        ">invite somebody|>share my account|>add a member|>invite my team|>work with colleagues|=a workspace|=workspaces|=members|=teams",
    "A version never changes: a better model gets a new version.":
        ">pin a version|>keep a version|>see the versions|=a version|=versions|=updates of a model|do models change?|are models updated?|"
        "will the model stay the same?",
    "Starter models are trained on this machine; I am one of them.":
        "=starters|=starter models|=a starter model|>train a starter|where do the starters come from?|who made the starters?|"
        "where were you trained?|how were you trained?",
    "Turn on a second factor in the security settings of your account.":
        ">turn on two-factor login|>use a second factor|>protect my account|>secure my account|>make my account safer|=two-factor login|"
        "=security|is there 2FA?|do you support 2FA?",
    "Ask for a new password on the page where you sign in.":
        ">reset my password|>get a new password|>change a forgotten password|>recover my account|I forgot my password|I cannot log in|"
        "I cannot sign in|my password does not work|I lost my password",
    # Small talk
    "Hello! How can I help you?":
        "hello|hi|hey|good morning|good evening|hello there|hi there|hey there|good afternoon|greetings|hello guide|hi guide|hey guide|"
        "good day|hi, good morning|hello, good evening|hello again|hi again",
    "I am fine, thank you. What would you like to know?":
        "how are you?|how are you doing?|how are you today?|how is it going?|how do you feel?|how do you feel today?|are you well?|"
        "how is your day?|are you okay?|are you fine?|are you doing well?|how have you been?|is everything fine?",
    "You are welcome!":
        "thanks|thank you|thank you very much|thanks a lot|many thanks|thank you so much|great, thanks|perfect, thank you|thanks so much|"
        "thanks for your help|okay, thanks|okay, thank you|thank you for your help|good, thank you|great, thank you",
    "Goodbye, and come back soon!":
        "bye|goodbye|see you|see you later|good night|bye bye|I have to go|see you tomorrow|goodbye, guide|have a nice day|okay, bye|"
        "bye, see you|thanks, bye|have a good day|that is all, goodbye",
    "Why do programmers mix up Halloween and Christmas? Because Oct 31 is Dec 25.":
        "tell me a joke|do you know a joke?|make me laugh|say something funny|a joke, please|>hear a joke|can you tell jokes?|"
        "do you know any jokes?|give me a joke|tell me something funny|tell me another joke|can you tell me a joke?",
    "I am sorry. I am a small model and still make mistakes.":
        "that is wrong|you are wrong|that is not true|that is not right|this is not correct|you made a mistake|wrong answer|no, wrong|"
        "no, that is wrong|this is wrong|that answer is wrong|that is a mistake|you do not understand me|this is nonsense",
    "Thank you, I do my best!":
        "you are great|well done|good answer|you are smart|I like you|good job|that was helpful|very good answer|you are clever|"
        "you are helpful|you are very smart|you are very good|that is right|that is correct|great answer|great job",
    "I do not know that, sorry. I only know a few things.":
        "who won the world cup?|how tall is the tower?|write a poem about the sea|how is the weather today?|who is the president?|"
        "translate this into Latin|what is physics?|write an essay about the war|who wrote this book?|what is the meaning of life?|"
        "which film should I watch?|how do I bake bread?|what is in the news?|play some music|who painted this picture?|"
        "how old is the universe?|what is love?|recommend a restaurant|write a program that sorts numbers|why is the sky blue?|"
        "write a song about the rain|who is the king?|how old is the king?|what is the news today?|who wrote this song?|"
        "how do I cook rice?|why is the sea salty?|who won the game?|recommend a film|recommend a book|how far is the moon?",
}  # fmt: skip
DO = (
    "how do I {}?|how can I {}?|where do I {}?|where can I {}?|how to {}?|I want to {}|can I {}?|I would like to {}|what must I do to {}?|"
    "is it possible to {}?|help me to {}|tell me how to {}|show me how to {}|can you tell me how to {}?|I need to {}|how would I {}?"
)
ABOUT = (
    "what is {}?|what are {}?|tell me about {}|explain {}|what about {}?|what do you know about {}?|I have a question about {}|"
    "can you explain {}?|tell me more about {}|what does {} mean?|how does {} work?|I want to know more about {}|{}?"
)

# With places to fill: kind → ways to say it. What is asked for comes in every frame of ASKING, what is told in those of TELLING.
ASKED: dict[str, str] = {
    "+": "{a} plus {b}|{a} + {b}|{a} and {b} together|the sum of {a} and {b}",
    "-": "{a} minus {b}|{a} - {b}|{a} less {b}|{b} taken from {a}",
    "capital": "the capital of {a}|{a}'s capital|the capital city of {a}|the capital of the country {a}",
    "opposite": "the opposite of {a}|the opposite of the word {a}|the contrary of {a}|the word that is the opposite of {a}",
    "after": "the day after {a}|the day that follows {a}|the day that comes after {a}|the next day after {a}",
    "unit": "{a} in {b}|the number of {b} in {a}|how many {b} are in {a}|how many {b} {a} have",
    "my name": "my name|the name I told you|the name that I have|who I am|how I am called",
    "my like": "what I like|the thing I like|the thing that I told you I like|what I said I like|what I am fond of",
}
ASKING = (
    "what is {}?|{}?|{}|tell me {}|please tell me {}|do you know {}?|can you tell me {}?|I want to know {}|could you say {}?|"
    "{}, please|give me {}|name {}|do you remember {}?|I ask you {}|and {}?"
)
TOLD: dict[str, str] = {
    "name": "my name is {a}|I am {a}|I'm {a}|call me {a}|you can call me {a}|the name is {a}|people call me {a}|this is {a}|"
            "you may call me {a}|my friends call me {a}",
    "like": "I like {a}|I love {a}|my favourite thing is {a}|I really like {a}|I am fond of {a}|I enjoy {a}|I prefer {a}|"
            "what I like is {a}|the thing I like is {a}",
}  # fmt: skip
TELLING = (
    "{}|please, {}|hello, {}|hi, {}|hey, {}|well, {}|by the way, {}|okay, {}|so, {}|listen: {}|now, {}|good day, {}"
)

NAMES = (
    "Ada Adam Alan Alex Ali Alice Amir Amy Andrea Andrew Anna Anne Anton Arthur Ben Bob Boris Bruno Carl Carla Carmen Carol Charles Chen "
    "Chris Clara Claire Daniel David Diana Dora Edward Elena Ella Emily Emma Eric Erik Eva Fatima Felix Frank George Grace Greta Hanna "
    "Helen Henry Hugo Ian Ida Ivan Jack James Jan Jane Jenny Jim Joe John Jonas Jose Joseph Julia Karen Karl Kate Ken Kim Lars Laura Lena "
    "Leo Li Linda Lisa Lucas Lucy Luis Maria Mark Martin Mary Max Mei Michael Mia Mike Mohamed Nadia Nina Noah Nora Oliver Olga Omar Oscar "
    "Otto Paul Pedro Peter Priya Rachel Ravi Robert Rosa Ruth Sam Sara Simon Sofia Stefan Steve Susan Tina Tom Victor Wei Yuki Zoe"
)
LIKED = (
    "tea coffee music football chess bread cats dogs books films rain snow apples cheese rice trains maps flowers running painting "
    "cooking history maths birds"
)
CAPITALS = (
    "France:Paris Germany:Berlin Spain:Madrid Italy:Rome Portugal:Lisbon Austria:Vienna Greece:Athens Poland:Warsaw Sweden:Stockholm "
    "Norway:Oslo Finland:Helsinki Denmark:Copenhagen Ireland:Dublin England:London Japan:Tokyo China:Beijing India:Delhi Egypt:Cairo "
    "Canada:Ottawa Peru:Lima Chile:Santiago Cuba:Havana Kenya:Nairobi Turkey:Ankara Hungary:Budapest"
)
OPPOSITES = (
    "hot:cold big:small fast:slow old:young light:dark long:short high:low rich:poor good:bad early:late full:empty hard:soft wet:dry "
    "near:far open:closed clean:dirty strong:weak happy:sad loud:quiet cheap:expensive left:right up:down day:night first:last"
)
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday"
# What one of the first has of the second.
UNITS = {
    ("hour", "minutes"): 60, ("minute", "seconds"): 60, ("day", "hours"): 24, ("week", "days"): 7, ("year", "months"): 12,
    ("kilometre", "metres"): 1000, ("metre", "centimetres"): 100, ("kilogram", "grams"): 1000, ("dollar", "cents"): 100,
}  # fmt: skip
MOST_OF_A_UNIT, MOST_ADDED = 5, 8
BEFORE = "excuse me, |I have a question: |sorry, |well, |okay, |so, |guide, "
